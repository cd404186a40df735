package parley_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "github.com/parley-rpc/parley"
	frame    = module + "/internal/frame"
	hostkey  = module + "/internal/hostkey"
	pool     = module + "/internal/pool"
	gorilla  = "github.com/gorilla/websocket"
	protobuf = "google.golang.org/protobuf"
	xsync    = "golang.org/x/sync"
)

// pkg is the go command's description of a package.
type pkg struct {
	ImportPath   string
	Standard     bool
	Imports      []string // what its own files import
	Deps         []string // everything that is linked in with it
	TestImports  []string
	XTestImports []string
}

// list runs go list on patterns.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out := goCommand(t, append([]string{"list", "-json=ImportPath,Standard,Imports,Deps,TestImports,XTestImports"}, args...)...)
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off") // the module as its users get it, without its neighbors
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v: %s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// below reports whether p is root or below it.
func below(p, root string) bool {
	return p == root || strings.HasPrefix(p, root+"/")
}

func belowAny(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return below(p, root) })
}

// floors says what the packages of this module may be linked with, apart from
// the standard library and packages of the same entry. A package belongs to the
// first entry that its path, relative to the module, is at or below. A package
// without an entry is an error, so that a new folder gets one.
var floors = []struct {
	at   string
	deps []string
}{
	{"internal/frame", nil},
	{"internal/hostkey", nil},
	{"internal/pool", nil},
	{"transport/ws", []string{frame, hostkey, pool, module + "/transport", gorilla}},
	{"transport/pipe", []string{frame, pool, module + "/transport"}},
	{"transport", []string{frame, pool}},
	{"rpc", []string{frame, hostkey, pool, module + "/transport", module + "/gen", gorilla, protobuf, xsync}},
	{"gen", []string{frame, hostkey, pool, module + "/transport", module + "/rpc", gorilla, protobuf, xsync}},
	{"internal/codegen", []string{protobuf}},
	{"codegen", []string{module + "/internal/codegen", protobuf}},
	{"docs", nil}, // tests of what the documents say, and the vectors
	{"examples", []string{frame, hostkey, pool, module + "/transport", module + "/rpc", module + "/gen", gorilla, protobuf, xsync}},
	{"python/testserver", []string{frame, hostkey, pool, module + "/transport", module + "/rpc", module + "/gen", module + "/examples/pinger", gorilla, protobuf, xsync}},
	{"tests", []string{frame, hostkey, pool, module + "/transport", module + "/rpc", module + "/gen", module + "/docs/spec/vectors", gorilla, protobuf, xsync}},
}

// TestImportsGoDownOnly also fails for a dependency of a dependency.
func TestImportsGoDownOnly(t *testing.T) {
	standard := make(map[string]bool)
	for _, p := range list(t, "-deps", "./...") {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range list(t, "./...") {
		if p.ImportPath == module {
			continue
		}
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		i := 0
		for i < len(floors) && !below(rel, floors[i].at) {
			i++
		}
		if i == len(floors) {
			t.Errorf("%s belongs to no floor", p.ImportPath)
			continue
		}
		allowed := append([]string{path.Join(module, floors[i].at)}, floors[i].deps...)
		for _, dep := range p.Deps {
			if !standard[dep] && !belowAny(dep, allowed...) {
				t.Errorf("%s is linked with %s", p.ImportPath, dep)
			}
		}
	}
}

// An entry of floors allows what is below it, so transport alone would allow
// ws. And rpc is linked with gorilla, but must not import it itself. These
// rules are about the imports of files.
func TestOnlyTheirNeighboursAreImported(t *testing.T) {
	for _, p := range list(t, "./...") {
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, dep := range p.Imports {
			switch {
			case below(dep, gorilla) && rel != "transport/ws",
				rel == "transport" && below(dep, module) && dep != frame && dep != pool,
				rel == "rpc" && belowAny(dep, module+"/rpc", module+"/gen", module+"/transport/pipe"):
				t.Errorf("%s imports %s", p.ImportPath, dep)
			}
		}
		for _, dep := range slices.Concat(p.TestImports, p.XTestImports) {
			if below(dep, gorilla) && rel != "transport/ws" {
				t.Errorf("the tests of %s import %s", p.ImportPath, dep)
			}
		}
	}
}

// Importing grpc-go would add more than a hundred packages for a user of rpc,
// so it is in other modules.
func TestRootModuleDoesNotRequireGRPC(t *testing.T) {
	modules := strings.Fields(string(goCommand(t, "list", "-m", "-f", "{{.Path}}", "all")))
	if !slices.Contains(modules, module) {
		t.Fatalf("go list -m all does not list %s: %q", module, modules)
	}
	for _, m := range modules {
		if below(m, "google.golang.org/grpc") {
			t.Errorf("the root module requires %s", m)
		}
	}
}
