package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestModulesThatRequireEachOtherAreTidiedWithoutARelease(t *testing.T) {
	texts := smallModules()
	texts["ext/grpc/go.mod"] += "\nrequire " + rootPath + " v0.1.0\n"
	texts["ext/grpc/doc.go"] += "\nimport _ \"" + rootPath + "/rpc\"\n"
	texts["ext/grpc/go.sum"] = rootPath + " v0.1.0 h1:written=\n"     // by a release
	texts["ext/otel/go.mod"] += "\nrequire " + rootPath + " v0.1.0\n" // not used
	r := commit(t, t.TempDir(), texts)
	var out bytes.Buffer
	r.out = &out
	if err := r.checkTidy(t.Context()); !errors.Is(err, errNotTidy) {
		t.Fatalf("got %v", err)
	}
	if said := out.String(); !strings.Contains(said, "ext/otel/go.mod is not tidy") || strings.Count(said, "not tidy") != 1 {
		t.Errorf("got %s", said)
	}
	if err := r.writeTidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.checkTidy(t.Context()); err != nil {
		t.Error(err)
	}
	if status := git(t, r, "status", "--porcelain"); status != " M ext/otel/go.mod" {
		t.Errorf("got %q", status)
	}
	text, err := r.read("ext/grpc/go.mod")
	if err != nil || text != texts["ext/grpc/go.mod"] {
		t.Errorf("%v\n%s", err, text)
	}
}
