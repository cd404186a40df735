package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/parley-rpc/parley/internal/codegen"
)

func TestVersionFlagPrintsTheVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"--version"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	if want := "protoc-gen-go-parley " + codegen.Version + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestHelpFlagSaysHowToRunThePlugin(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"--help"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "--go-parley_out") {
		t.Errorf("the help does not show how to run the plugin: %s", out.String())
	}
}

func TestErrorInARequestIsAnsweredNotReturned(t *testing.T) {
	req, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{Parameter: proto.String("nonsense")})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(nil, bytes.NewReader(req), &out); err != nil {
		t.Fatal(err)
	}
	resp := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out.Bytes(), resp); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(resp.GetError(), `"nonsense"`) {
		t.Errorf("got the error %q, want one that names the option", resp.GetError())
	}
}

func TestWhatIsNoRequestIsAnError(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		run  func(out *bytes.Buffer) error
		want string
	}{
		{"garbage", func(out *bytes.Buffer) error { return run(nil, strings.NewReader("garbage"), out) }, "parse the request"},
		{"broken input", func(out *bytes.Buffer) error { return run(nil, iotest.ErrReader(broken), out) }, "read the request: broken"},
		{"unknown argument", func(out *bytes.Buffer) error { return run([]string{"x.proto"}, nil, out) }, `unknown argument "x.proto"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := test.run(&out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that says %s", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %d bytes beside the error", out.Len())
			}
		})
	}
}
