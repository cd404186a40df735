package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSnippetsAreRegionsOfPrograms(t *testing.T) {
	for _, document := range documents {
		for _, b := range blocks(t, document) {
			if b.how != "from" {
				continue
			}
			path, name, _ := strings.Cut(b.arg, " ")
			want := read(t, path)
			if name != "" {
				want = region(t, path, name)
			}
			if b.text != want {
				t.Errorf("%s differs from %s; there it is\n%s", b.where, b.arg, want)
			}
		}
	}
}

func TestPartsAreOfFilesThatAreRun(t *testing.T) {
	for _, document := range documents {
		for _, b := range blocks(t, document) {
			if b.how != "part" {
				continue
			}
			whole, path, _ := strings.Cut(b.arg, " ")
			if whole != startDocument || !strings.Contains(fileIn(t, whole, path), "\n"+b.text) {
				t.Errorf("%s is not a part of %s in %s", b.where, path, whole)
			}
		}
	}
}

// fileIn returns a file of a new project as a document shows it.
func fileIn(t *testing.T, document, path string) string {
	t.Helper()
	for _, b := range blocks(t, document) {
		if b.how == "file" && b.arg == path {
			return b.text
		}
	}
	t.Errorf("%s has no file %s", document, path)
	return ""
}

func TestEveryBlockIsTested(t *testing.T) {
	for _, document := range documents {
		for _, b := range blocks(t, document) {
			switch b.how {
			case "from", "part", "shown", "session", "session in the background":
			case "file", "run", "run in the background", "output":
				if document != startDocument {
					t.Errorf("%s: only blocks of %s are run", b.where, startDocument)
				}
			default:
				t.Errorf("%s: unknown kind of test %q", b.where, b.how)
			}
			if b.language == "go" && b.how != "from" && b.how != "part" && b.how != "file" {
				t.Errorf("%s: Go that is not compiled", b.where)
			}
		}
	}
}

// TestShownCommands checks the commands that are not run here.
func TestShownCommands(t *testing.T) {
	vouched := map[string]func(t *testing.T){
		"git clone https://github.com/parley-rpc/parley": func(*testing.T) {}, // would test the network
		// make release-check tests these.
		"go get github.com/parley-rpc/parley@latest":                                    func(*testing.T) {},
		"go get -tool github.com/parley-rpc/parley/codegen/protoc-gen-go-parley@latest": mainPackage("codegen/protoc-gen-go-parley"),
		"go install github.com/parley-rpc/parley/cmd/parley@latest":                     mainPackage("cmd/parley"),
		"cd parley": func(*testing.T) {},
		// web/e2e/install.test.ts and make release-check pack and install it.
		"npm install @parley-rpc/client @bufbuild/protobuf": npmPackage("client", "@parley-rpc/client"),
		"npm install --save-dev @bufbuild/protoc-gen-es":    func(*testing.T) {},
		// python/run-tests.sh runs protoc with other folders.
		"protoc -I proto --python_out=gen --pyi_out=gen --python-parley_out=gen ping.proto": func(*testing.T) {},
		"pip install ./python": pythonPackage,
		// python/tests/test_package.py makes a wheel and installs it.
		"pip wheel --no-deps --wheel-dir dist ./python": pythonPackage,
		"make chat": func(t *testing.T) { // what it runs is tested by package chat
			_, recipe, ok := strings.Cut(read(t, "Makefile"), "\nchat:")
			recipe, _, _ = strings.Cut(recipe, "\n\n")
			if !ok || !strings.HasSuffix(recipe, "\n\tgo build -o bin/ ./examples/chat$(if $(NODES),/servers)"+
				"\n\t@exec bin/$(if $(NODES),servers -nodes $(NODES),chat server) -addr $(ADDR)") {
				t.Errorf("the target chat is now %q", recipe)
			}
		},
		"go run ./examples/chat join -name ada": func(*testing.T) {}, // TestMembersOfARoomTalkOverTheirTerminals
		// TestTheCurlLineOfTheReadmeWorks of examples/ping runs it.
		`curl -d '{"text":"hi"}' -H 'Content-Type: application/json' http://localhost:8080/rpc/parley.ping.v1.PingService/Ping`: func(*testing.T) {},
		"make demo": func(t *testing.T) { // what it runs is tested by package demo
			_, recipe, ok := strings.Cut(read(t, "Makefile"), "\ndemo:")
			recipe, _, _ = strings.Cut(recipe, "\n\n")
			if !ok || !strings.HasSuffix(recipe, "\n\tgo run ./examples/demo") {
				t.Errorf("the target demo is now %q", recipe)
			}
		},
		"export PARLEY_CLUSTER_SECRET=$(cat /run/secrets/gateways)":                                              clusterGateway("PARLEY_CLUSTER_SECRET"),
		"parley gateway --backend dns:///users:50051 --nats nats://10.0.0.5:4222 --cluster-listen 10.0.0.7:7443": clusterGateway(`"--nats", url, "--cluster-listen"`),
		"make interop": func(t *testing.T) { // what it runs is tested by package interop
			_, recipe, ok := strings.Cut(read(t, "Makefile"), "\ninterop:")
			recipe, _, _ = strings.Cut(recipe, "\n\n")
			if !ok || !strings.HasSuffix(recipe, "\n\tcd tests/interop && go run .\n\tcd tests/connect && go run .") {
				t.Errorf("the target interop is now %q", recipe)
			}
		},
	}
	for _, document := range documents {
		for _, b := range blocks(t, document) {
			if b.how != "shown" {
				continue
			}
			for line := range strings.Lines(b.text) {
				check, ok := vouched[strings.TrimSpace(line)]
				if !ok {
					t.Errorf("%s: nobody vouches for %q", b.where, line)
					continue
				}
				check(t)
			}
		}
	}
}

// clusterGateway checks that the test of several gateways uses some flags.
func clusterGateway(flags string) func(*testing.T) {
	return func(t *testing.T) {
		if !strings.Contains(read(t, "cmd/parley/natstest/gateway_test.go"), flags) {
			t.Errorf("no test of several gateways uses %s", flags)
		}
	}
}

// mainPackage checks that a folder has a command.
func mainPackage(folder string) func(*testing.T) {
	return func(t *testing.T) {
		if !strings.Contains(read(t, folder+"/main.go"), "\npackage main\n") {
			t.Errorf("%s is no command", folder)
		}
	}
}

// npmPackage checks the name of the npm package in a folder of web/.
func npmPackage(folder, name string) func(*testing.T) {
	return func(t *testing.T) {
		if !strings.Contains(read(t, "web/"+folder+"/package.json"), `"name": "`+name+`"`) {
			t.Errorf("web/%s is not the package %s", folder, name)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// hasAnchor reports whether a document has a heading with that anchor.
func hasAnchor(t *testing.T, document, anchor string) bool {
	t.Helper()
	for _, h := range heading.FindAllStringSubmatch(read(t, document), -1) {
		if strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, document := range documents {
		for _, m := range link.FindAllStringSubmatch(read(t, document), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
				continue
			}
			if anchor != "" && !hasAnchor(t, target, anchor) {
				t.Errorf("%s links to %s: no such heading", document, m[1])
			}
		}
	}
}

// pythonPackage checks that the folder python is a package of that name.
func pythonPackage(t *testing.T) {
	t.Helper()
	project := read(t, "python/pyproject.toml")
	for _, want := range []string{"name = \"parley\"", "packages = [\"parley\"]", "protoc-gen-python-parley = \"parley.plugin:main\""} {
		if !strings.Contains(project, "\n"+want) {
			t.Errorf("python/pyproject.toml has no %q", want)
		}
	}
}
