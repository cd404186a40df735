package main

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// smallModules are the files of a repository with the published modules.
func smallModules() map[string]string {
	texts := map[string]string{"LICENSE": "Do what you want.\n", "rpc/rpc.go": "package rpc\n\nfunc Call() {}\n\nfunc Hang() {}\n"}
	for _, folder := range published {
		texts[path.Join(folder, "go.mod")] = "module " + modulePath(folder) + "\n\ngo 1.26.0\n"
		texts[path.Join(folder, "doc.go")] = "package parley\n"
	}
	return texts
}

// The go command computes the sums of what it downloads. They must be those that
// a release writes into go.sum.
func TestSumsAreThoseOfTheGoCommand(t *testing.T) {
	r := commit(t, t.TempDir(), smallModules())
	write(t, r.path("rpc/new.go"), "package rpc\n") // neither committed nor staged
	tree, err := r.workingTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	if err := r.writeProxy(t.Context(), proxy, "v0.1.0", func(string) string { return tree }); err != nil {
		t.Fatal(err)
	}
	for _, folder := range published {
		user := command{dir: t.TempDir(), env: []string{
			"GOPROXY=file://" + proxy, "GONOSUMDB=" + rootPath, "GOMODCACHE=" + filepath.Join(t.TempDir(), "modules"), "GOFLAGS=-modcacherw",
		}}
		said, err := user.output(t.Context(), "go", "mod", "download", "-json", modulePath(folder)+"@v0.1.0")
		if err != nil {
			t.Fatal(err)
		}
		var downloaded struct{ Dir, Sum, GoModSum string }
		if err := json.Unmarshal([]byte(said), &downloaded); err != nil {
			t.Fatal(err)
		}
		sums, err := r.sums(t.Context(), folder, "v0.1.0", tree)
		if err != nil {
			t.Fatal(err)
		}
		name := modulePath(folder)
		want := name + " v0.1.0 " + downloaded.Sum + "\n" + name + " v0.1.0/go.mod " + downloaded.GoModSum + "\n"
		if sums != want {
			t.Errorf("got\n%swant\n%s", sums, want)
		}
		if folder != "." {
			continue
		}
		if _, err := os.Stat(filepath.Join(downloaded.Dir, "rpc", "new.go")); err != nil {
			t.Errorf("the working tree is not what is served: %v", err)
		}
		if _, err := os.Stat(filepath.Join(downloaded.Dir, "ext")); err == nil {
			t.Error("the root module has the other modules in it")
		}
	}
	if status := git(t, r, "status", "--porcelain"); status != "?? rpc/new.go" {
		t.Errorf("the index has changed: %q", status)
	}
}

func TestSumsAreSortedAsTheGoCommandDoes(t *testing.T) {
	r := here(t)
	folders, err := r.modules()
	if err != nil || len(folders) < 8 {
		t.Fatal(folders, err)
	}
	for _, folder := range folders {
		text, err := r.read(path.Join(folder, "go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(text, "\n")
		reversed := ""
		for _, line := range lines {
			reversed = line + reversed
		}
		if sortLines(reversed) != text {
			t.Errorf("%s: go.sum is sorted in another way", folder)
		}
	}
}

func TestSumsOfAReleaseReplaceThoseBefore(t *testing.T) {
	texts := smallModules()
	other := "example.com/other v1.0.0 h1:o=\n"
	texts["ext/grpc/go.sum"] = other + rootPath + " v0.0.9 h1:x=\n"
	texts["ext/grpc/go.mod"] += "\nrequire " + rootPath + " v0.1.0\n"
	texts["cmd/parley/go.mod"] += "\nrequire (\n" + rootPath + " v0.1.0\n" + rootPath + "/ext/grpc v0.1.0\n)\n"
	r := commit(t, t.TempDir(), texts)
	if err := r.writeSums(t.Context(), "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	tree, err := r.workingTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := r.sums(t.Context(), ".", "v0.1.0", tree)
	if err != nil {
		t.Fatal(err)
	}
	grpc, err := r.sums(t.Context(), "ext/grpc", "v0.1.0", tree)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ext/grpc/go.sum": other + root, "cmd/parley/go.sum": root + grpc} {
		if text, err := r.read(name); err != nil || text != want {
			t.Errorf("%s is\n%swant\n%s%v", name, text, want, err)
		}
	}
	if _, err := r.read("ext/otel/go.sum"); err == nil {
		t.Error("a module that requires nothing has a go.sum")
	}
}
