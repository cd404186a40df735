package goldentest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	protoDir  = "../testdata/proto"
	goldenDir = "../testdata/gen"
)

// bin is the folder of the plugins and of stubgen, built from this tree.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "goldentest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	bin = dir
	if out, err := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "tool").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the plugins: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// stubgen runs a plugin as protoc does, and returns its standard error.
func stubgen(plugin, out, opt string, files ...string) (string, error) {
	args := []string{"-I", protoDir, "--plugin", plugin + "=" + filepath.Join(bin, plugin), "--out", out, "--opt", opt}
	cmd := exec.Command(filepath.Join(bin, "stubgen"), append(args, files...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	return stderr.String(), err
}

// mustStubgen is like stubgen, and fails the test if the plugin fails.
func mustStubgen(t *testing.T, plugin, out, opt string, files ...string) {
	t.Helper()
	if stderr, err := stubgen(plugin, out, opt, files...); err != nil {
		t.Fatalf("%s on %s: %v\n%s", plugin, strings.Join(files, " "), err, stderr)
	}
}
