package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// playPlugin makes the test binary a plugin that answers with the file that it names, a CodeGeneratorResponse.
// What it was asked goes to request.bin beside that file.
const playPlugin = "STUBGEN_TEST_RESPONSE"

func TestMain(m *testing.M) {
	if file := os.Getenv(playPlugin); file != "" {
		os.Exit(play(file))
	}
	os.Exit(m.Run())
}

func play(file string) int {
	req, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 3
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "request.bin"), req, 0o600); err != nil {
		return 3
	}
	res, err := os.ReadFile(file)
	if err != nil {
		return 7
	}
	if _, err := os.Stdout.Write(res); err != nil {
		return 3
	}
	return 0
}

// fixture is a folder with .proto files, and a plugin.
type fixture struct {
	t    *testing.T
	dir  string
	out  string
	fake string // --plugin argument of the test binary as a plugin
}

func newFixture(t *testing.T, files map[string]string) *fixture {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else every plugin process lasts a second under -race
	f := &fixture{t: t, dir: t.TempDir()}
	f.out = filepath.Join(f.dir, "out")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f.fake = "--plugin=fake=" + self
	for name, text := range files {
		file := filepath.Join(f.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// answer sets what the fake plugin answers.
func (f *fixture) answer(res *pluginpb.CodeGeneratorResponse) {
	f.t.Helper()
	b, err := proto.Marshal(res)
	if err != nil {
		f.t.Fatal(err)
	}
	f.answerBytes(b)
}

func (f *fixture) answerBytes(b []byte) {
	f.t.Helper()
	file := filepath.Join(f.dir, "response.bin")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.t.Setenv(playPlugin, file)
}

// asked returns the request that the fake plugin got.
func (f *fixture) asked() *pluginpb.CodeGeneratorRequest {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, "request.bin"))
	if err != nil {
		f.t.Fatal(err)
	}
	req := new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(b, req); err != nil {
		f.t.Fatal(err)
	}
	return req
}

// run calls the command with -I dir and --out before args.
func (f *fixture) run(args ...string) error {
	f.t.Helper()
	var stderr bytes.Buffer
	err := run(f.t.Context(), append([]string{"-I", f.dir, "--out", f.out}, args...), &stderr)
	if stderr.Len() > 0 {
		f.t.Logf("standard error: %s", &stderr)
	}
	return err
}

// generated returns the text of an output file.
func (f *fixture) generated(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.out, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// wantError fails unless err is one line that contains text.
func wantError(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error; want one with %q", text)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("error of several lines: %v", err)
	case !strings.Contains(err.Error(), text):
		t.Errorf("error %q lacks %q", err, text)
	}
}

const greetProto = `syntax = "proto3";
package greet.v1;
import "google/protobuf/timestamp.proto";
import "greet/v1/name.proto";
option go_package = "example.com/greet/v1;greetv1";

// Greeting says hello.
message Greeting {
  greet.v1.Name full_name = 1;
  google.protobuf.Timestamp at = 2; // when it was said
}
`

const nameProto = `syntax = "proto3";
package greet.v1;
option go_package = "example.com/greet/v1;greetv1";
message Name { string text = 1; }
`

func greetFiles() map[string]string {
	return map[string]string{"greet/v1/greet.proto": greetProto, "greet/v1/name.proto": nameProto}
}

func TestRequestHoldsWhatProtocSends(t *testing.T) {
	f := newFixture(t, greetFiles())
	f.answer(&pluginpb.CodeGeneratorResponse{})
	if err := f.run(f.fake, "--opt", "paths=source_relative", "--opt", "a=b", "greet/v1/greet.proto"); err != nil {
		t.Fatal(err)
	}
	req := f.asked()
	if got := req.GetParameter(); got != "paths=source_relative,a=b" {
		t.Errorf("parameter %q", got)
	}
	if got := req.GetFileToGenerate(); !slices.Equal(got, []string{"greet/v1/greet.proto"}) {
		t.Errorf("files to generate %q", got)
	}
	var names []string
	for _, file := range req.GetProtoFile() {
		names = append(names, file.GetName())
	}
	if want := []string{"google/protobuf/timestamp.proto", "greet/v1/name.proto", "greet/v1/greet.proto"}; !slices.Equal(names, want) {
		t.Fatalf("proto files %q, want imports before their importers: %q", names, want)
	}
	greet := req.GetProtoFile()[2]
	if got := greet.GetMessageType()[0].GetField()[0].GetJsonName(); got != "fullName" {
		t.Errorf("json_name %q, want fullName", got)
	}
	hasComment := func(l *descriptorpb.SourceCodeInfo_Location) bool {
		return l.GetLeadingComments() == " Greeting says hello.\n"
	}
	if !slices.ContainsFunc(greet.GetSourceCodeInfo().GetLocation(), hasComment) {
		t.Error("the comment on message Greeting is missing")
	}
	if len(req.GetSourceFileDescriptors()) != 1 || !proto.Equal(req.GetSourceFileDescriptors()[0], greet) {
		t.Error("source_file_descriptors does not hold the file to generate")
	}
}

func TestOptionsForSourcesOnlyAreStripped(t *testing.T) {
	f := newFixture(t, map[string]string{"a.proto": `syntax = "proto2";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MessageOptions {
  optional string note = 50000 [retention = RETENTION_SOURCE];
  optional string kept = 50001;
}
message A { option (note) = "draft"; option (kept) = "final"; }
`})
	f.answer(&pluginpb.CodeGeneratorResponse{})
	if err := f.run(f.fake, "a.proto"); err != nil {
		t.Fatal(err)
	}
	req := f.asked()
	text := func(file *descriptorpb.FileDescriptorProto) string {
		return string(file.GetMessageType()[0].GetOptions().ProtoReflect().GetUnknown())
	}
	stripped, source := text(req.GetProtoFile()[1]), text(req.GetSourceFileDescriptors()[0])
	if strings.Contains(stripped, "draft") || !strings.Contains(stripped, "final") {
		t.Errorf("options for the plugin: %q", stripped)
	}
	if !strings.Contains(source, "draft") || !strings.Contains(source, "final") {
		t.Errorf("options in source_file_descriptors: %q", source)
	}
}

func TestProtocGenGoGeneratesComments(t *testing.T) {
	f := newFixture(t, greetFiles())
	bin := filepath.Join(f.dir, "protoc-gen-go")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "google.golang.org/protobuf/cmd/protoc-gen-go")
	if msg, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	if err := f.run("--plugin", "go="+bin, "--opt", "paths=source_relative", "greet/v1/greet.proto", "greet/v1/name.proto"); err != nil {
		t.Fatal(err)
	}
	code := f.generated("greet/v1/greet.pb.go")
	for _, want := range []string{"// Greeting says hello.\ntype Greeting struct", "// when it was said", "package greetv1"} {
		if !strings.Contains(code, want) {
			t.Errorf("greet.pb.go lacks %q", want)
		}
	}
	f.generated("greet/v1/name.pb.go")
}

func TestFileMayBeGivenAsPathOnDisk(t *testing.T) {
	f := newFixture(t, greetFiles())
	f.answer(&pluginpb.CodeGeneratorResponse{})
	onDisk := filepath.Join(f.dir, "greet/v1/greet.proto")
	if err := f.run(f.fake, onDisk, "greet/v1/greet.proto"); err != nil {
		t.Fatal(err)
	}
	if got := f.asked().GetFileToGenerate(); !slices.Equal(got, []string{"greet/v1/greet.proto"}) {
		t.Errorf("files to generate %q", got)
	}
}

func TestImportFoldersAreSearchedInOrder(t *testing.T) {
	f := newFixture(t, map[string]string{
		"one/x.proto": "syntax = \"proto3\";\nmessage One {}\n",
		"two/x.proto": "syntax = \"proto3\";\nmessage Two {}\n",
	})
	f.answer(&pluginpb.CodeGeneratorResponse{})
	one, two := filepath.Join(f.dir, "one"), filepath.Join(f.dir, "two")
	args := []string{"-I", two, "-I", one, "--out", f.out, f.fake}
	if err := run(t.Context(), append(args, "x.proto"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if got := f.asked().GetProtoFile()[0].GetMessageType()[0].GetName(); got != "Two" {
		t.Errorf("compiled message %s, want that of the first folder", got)
	}
	err := run(t.Context(), append(args, filepath.Join(one, "x.proto")), io.Discard)
	wantError(t, err, "one/x.proto is hidden by "+filepath.Join(two, "x.proto"))
}

func TestFaultsInSourcesAreReportedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"syntax":  {"syntax = \"proto3\";\nmessage {}\n", "a.proto:2:9: syntax error"},
		"type":    {"syntax = \"proto3\";\nmessage A { B b = 1; }\n", "a.proto:2:13: field A.b: unknown type B"},
		"import":  {"syntax = \"proto3\";\nimport \"b.proto\";\n", "a.proto:2:8: b.proto: no such file (-I "},
		"edition": {"edition = \"2077\";\n", `a.proto:1:11: edition value "2077" not recognized`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a.proto": c.text})
			wantError(t, f.run(f.fake, "a.proto"), c.want)
		})
	}
}

func TestEveryFaultInSourcesIsReported(t *testing.T) {
	f := newFixture(t, map[string]string{"a.proto": "syntax = \"proto3\";\nmessage A { B b = 1; C c = 2; }\n"})
	err := f.run(f.fake, "a.proto")
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "unknown type C") {
		t.Errorf("error %q, want two lines", err)
	}
}

func TestUnusedImportIsAWarning(t *testing.T) {
	f := newFixture(t, map[string]string{"a.proto": "syntax = \"proto3\";\nimport \"google/protobuf/any.proto\";\n"})
	f.answer(&pluginpb.CodeGeneratorResponse{})
	var stderr bytes.Buffer
	if err := run(t.Context(), []string{"-I", f.dir, "--out", f.out, f.fake, "a.proto"}, &stderr); err != nil {
		t.Fatal(err)
	}
	if got := stderr.String(); !strings.Contains(got, `a.proto:2:1: warning: import "google/protobuf/any.proto" not used`) {
		t.Errorf("standard error %q", got)
	}
}

func TestWrongCommandLinesAreExplained(t *testing.T) {
	for want, args := range map[string][]string{
		"no --plugin given":                      {"--out", "o", "a.proto"},
		"no --out given":                         {"--plugin", "x=y", "a.proto"},
		"no .proto file given":                   {"--plugin", "x=y", "--out", "o"},
		"want NAME=PATH":                         {"--plugin", "x", "--out", "o", "a.proto"},
		"flags come before files":                {"--plugin", "x=y", "--out", "o", "a.proto", "--opt", "z"},
		"flag provided but not defined: -go_out": {"--go_out", "o", "a.proto"},
		"absent.proto: no such file (-I .)":      {"--plugin", "x=y", "--out", "o", "absent.proto"},
		"not below an import folder (-I bin)":    {"-I", "bin", "--plugin", "x=y", "--out", "o", "stubgen_test.go"},
	} {
		wantError(t, run(t.Context(), args, io.Discard), want)
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h gives %v", err)
	}
}

func TestPluginFailureNamesThePlugin(t *testing.T) {
	f := newFixture(t, greetFiles())
	file := "greet/v1/name.proto"

	f.answer(&pluginpb.CodeGeneratorResponse{Error: proto.String("name.proto: cannot be\n")})
	wantError(t, f.run(f.fake, file), "plugin fake: name.proto: cannot be")

	f.answerBytes([]byte("hello"))
	wantError(t, f.run(f.fake, file), "plugin fake: its output is not a CodeGeneratorResponse")

	t.Setenv(playPlugin, filepath.Join(f.dir, "absent"))
	wantError(t, f.run(f.fake, file), "exit status 7")

	wantError(t, f.run("--plugin=gone=./absent", file), "plugin gone: run ./absent")
}

func TestNothingIsWrittenUnlessAllSucceeds(t *testing.T) {
	file := func(name string) *pluginpb.CodeGeneratorResponse_File {
		return &pluginpb.CodeGeneratorResponse_File{Name: proto.String(name), Content: proto.String("x")}
	}
	point := file("a.go")
	point.InsertionPoint = proto.String("imports")
	for want, files := range map[string][]*pluginpb.CodeGeneratorResponse_File{
		`file "../b.go" is outside of the output folder`: {file("a.go"), file("../b.go")},
		`file "/b.go" is outside of the output folder`:   {file("a.go"), file("/b.go")},
		`file "a.go" is generated twice`:                 {file("a.go"), file("./a.go")},
		`a file without a name`:                          {file("")},
		`a.go: insertion points are not supported`:       {file("a.go"), point},
	} {
		f := newFixture(t, greetFiles())
		f.answer(&pluginpb.CodeGeneratorResponse{File: files})
		wantError(t, f.run(f.fake, "greet/v1/name.proto"), want)
		if _, err := os.Stat(f.out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the output folder is there", want)
		}
	}
}

func TestLinkOutOfTheOutputFolderIsNotFollowed(t *testing.T) {
	f := newFixture(t, greetFiles())
	f.answer(&pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{{Name: proto.String("link/a.go")}}})
	elsewhere := t.TempDir()
	if err := os.Mkdir(f.out, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(f.out, "link")); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.run(f.fake, "greet/v1/name.proto"), "escapes")
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
		t.Errorf("files beyond the link: %v, %v", entries, err)
	}
}

func TestFileInPiecesIsPutTogether(t *testing.T) {
	f := newFixture(t, greetFiles())
	f.answer(&pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{
		{Name: proto.String("deep/a.txt"), Content: proto.String("one ")}, {Content: proto.String("two")},
	}})
	if err := f.run(f.fake, "greet/v1/name.proto"); err != nil {
		t.Fatal(err)
	}
	if got := f.generated("deep/a.txt"); got != "one two" {
		t.Errorf("content %q", got)
	}
}

func TestOldPluginIsRefusedNewSyntax(t *testing.T) {
	const optional = "syntax = \"proto3\";\nmessage A { message B { optional string s = 1; } }\n"
	const edition = "edition = \"2023\";\nmessage A {}\n"
	for name, c := range map[string]struct{ text, response, want string }{
		"optional":        {optional, `{"supportedFeatures":"1"}`, ""},
		"optional, old":   {optional, `{}`, "a.proto has optional fields in proto3"},
		"edition":         {edition, `{"supportedFeatures":"2","minimumEdition":998,"maximumEdition":1000}`, ""},
		"edition, old":    {edition, `{}`, "a.proto is of edition 2023"},
		"edition, beyond": {edition, `{"supportedFeatures":"2","minimumEdition":998,"maximumEdition":999}`, "a.proto is of edition 2023"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a.proto": c.text})
			res := new(pluginpb.CodeGeneratorResponse)
			if err := protojson.Unmarshal([]byte(c.response), res); err != nil {
				t.Fatal(err)
			}
			f.answer(res)
			err := f.run(f.fake, "a.proto")
			if c.want != "" {
				wantError(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
