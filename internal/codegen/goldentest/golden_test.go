package goldentest

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens instead of comparing with them")

const messagesPlugin, stubsPlugin = "protoc-gen-go", "protoc-gen-go-parley"

// Files whose stubs share the package of their messages. All others have a package of their own.
const samePackage = "samepkg/"

func TestGoldensAreWhatThePluginWrites(t *testing.T) {
	out := t.TempDir()
	var apart, together []string
	for name := range readTree(t, protoDir) {
		if strings.HasPrefix(name, samePackage) {
			together = append(together, name)
		} else {
			apart = append(apart, name)
		}
	}
	slices.Sort(apart)
	slices.Sort(together)
	mustStubgen(t, messagesPlugin, out, "paths=source_relative", slices.Concat(apart, together)...)
	mustStubgen(t, stubsPlugin, out, "paths=source_relative", apart...)
	mustStubgen(t, stubsPlugin, out, "paths=source_relative,package_suffix=", together...)

	if *update {
		if err := os.RemoveAll(goldenDir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(goldenDir, os.DirFS(out)); err != nil {
			t.Fatal(err)
		}
	}
	compareTrees(t, readTree(t, out), readTree(t, goldenDir))
}

// Some build systems run plugins for one file at a time.
func TestStubsDoNotDependOnWhatElseIsGenerated(t *testing.T) {
	goldens := readTree(t, goldenDir)
	for _, name := range []string{"kinds/kinds.proto", "comments/crlf.proto", "cross/cross.proto", "deprecated/service.proto"} {
		out := t.TempDir()
		mustStubgen(t, stubsPlugin, out, "paths=source_relative", name)
		files := readTree(t, out)
		if len(files) != 1 {
			t.Errorf("%s: got %d files, want 1", name, len(files))
		}
		for path, content := range files {
			if !bytes.Equal(content, goldens[path]) {
				t.Errorf("%s: %s", path, firstDifference(content, goldens[path]))
			}
		}
	}
}

func TestPluginErrorReachesTheCompilersUser(t *testing.T) {
	out := t.TempDir()
	stderr, err := stubgen(stubsPlugin, out, "package_suffix=my-rpc", "kinds/kinds.proto")
	if err == nil {
		t.Fatal("the compiler reports success")
	}
	if want := `"kindsmy-rpc" is not a valid name of a Go package`; !strings.Contains(stderr, want) {
		t.Errorf("got %q, want an error that says %s", stderr, want)
	}
	if files := readTree(t, out); len(files) > 0 {
		t.Errorf("got %d files in spite of the error", len(files))
	}
}

// readTree returns all files below dir by their slash-separated path.
func readTree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compareTrees(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(got)) {
		golden, ok := want[path]
		switch {
		case !ok:
			t.Errorf("%s: written, but there is no such golden", path)
		case !bytes.Equal(got[path], golden):
			t.Errorf("%s: %s", path, firstDifference(got[path], golden))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[path]; !ok {
			t.Errorf("%s: a golden that is not written any more", path)
		}
	}
	if t.Failed() {
		t.Log("if the new output is right: go test -C internal/codegen/goldentest . -update")
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "line " + strconv.Itoa(i+1) + " is\n" + g[i] + "\nbut the golden has\n" + w[i]
		}
	}
	return "it has " + strconv.Itoa(len(g)) + " lines, but the golden has " + strconv.Itoa(len(w))
}
