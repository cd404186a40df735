package main

import (
	"strings"
	"testing"
)

func TestBundleHasOneCopyOfProtobuf(t *testing.T) {
	const ours = `"node_modules/@parley-rpc/client/dist/index.js": {}, "node_modules/@parley-rpc/connect/dist/index.js": {},
		"node_modules/@parley-rpc/react/dist/index.js": {}, `
	const one = `"node_modules/@bufbuild/protobuf/dist/esm/index.js": {}, "node_modules/@bufbuild/protobuf/dist/esm/create.js": {}`
	const another = `, "node_modules/@parley-rpc/client/node_modules/@bufbuild/protobuf/dist/esm/index.js": {}`
	for inputs, want := range map[string]string{
		ours + one:             "",
		ours + one + another:   "2 copies",
		ours + `"page.js": {}`: "0 copies",
		one:                    "lacks [client connect react]",
	} {
		err := checkBundle([]byte(`{"inputs": {` + inputs + `}}`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", inputs, err, want)
		}
	}
}

func TestWhatNPMPackPrintsIsRead(t *testing.T) {
	for _, said := range []string{
		`[{"filename": "a-0.1.0.tgz", "version": "0.1.0", "files": [{"path": "LICENSE"}]}]`,
		`{"a": {"filename": "a-0.1.0.tgz", "version": "0.1.0", "files": [{"path": "LICENSE"}]}}`,
	} {
		p, err := parsePacked([]byte(said))
		if err != nil || p.Filename != "a-0.1.0.tgz" || p.Version != "0.1.0" || len(p.Files) != 1 || p.Files[0].Path != "LICENSE" {
			t.Errorf("%s: got %+v, %v", said, p, err)
		}
	}
	if _, err := parsePacked([]byte(`{}`)); err == nil {
		t.Error("nothing is a package")
	}
}
