package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// packages are the folders of web/ that a release publishes, each after those it
// needs.
var packages = []string{"client", "connect", "react"}

// peers are what the packages leave to the page that uses them.
var peers = []string{"@bufbuild/protobuf", "@connectrpc/connect", "react"}

// page uses each of the packages.
const page = `
export { createConnection } from "@parley-rpc/client";
export * as connect from "@parley-rpc/connect";
export * as hooks from "@parley-rpc/react";
export { create, toBinary, fromBinary } from "@bufbuild/protobuf";
`

// installPackages installs what builds the packages, as the Makefile does.
func (c *checker) installPackages(ctx context.Context) error {
	_, err := command{dir: c.clone.path("web")}.output(ctx, "npm", "ci", "--prefer-offline")
	return err
}

// bundlePage packs the packages, installs them, and bundles a page that uses all:
// it must have one copy of protobuf-es, which keeps registries and classes.
func (c *checker) bundlePage(ctx context.Context) error {
	web := c.clone.path("web")
	if _, err := (command{dir: web}).output(ctx, "npm", "run", "--silent", "build"); err != nil {
		return err
	}
	dir := filepath.Join(c.temporary, "page")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"package.json": "{}", "page.js": page} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	wanted, err := c.peers()
	if err != nil {
		return err
	}
	for _, name := range packages {
		file, err := c.pack(ctx, dir, name)
		if err != nil {
			return err
		}
		wanted = append(wanted, "./"+file)
	}
	install := append([]string{"install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"}, wanted...)
	if _, err := (command{dir: dir}).output(ctx, "npm", install...); err != nil {
		return err
	}
	_, err = command{dir: dir}.output(ctx, filepath.Join(web, "node_modules", ".bin", "esbuild"), "page.js",
		"--bundle", "--format=esm", "--outfile=bundle.js", "--metafile=meta.json", "--log-level=error")
	if err != nil {
		return err
	}
	meta, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return err
	}
	return checkBundle(meta)
}

// peers returns the peer dependencies in the versions that they are tested with.
func (c *checker) peers() ([]string, error) {
	text, err := c.clone.read("web/package.json")
	if err != nil {
		return nil, err
	}
	var manifest struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal([]byte(text), &manifest); err != nil {
		return nil, err
	}
	var wanted []string
	for _, name := range peers {
		wanted = append(wanted, name+"@"+manifest.DevDependencies[name])
	}
	return wanted, nil
}

// packed is npm pack --json's description of a package.
type packed struct {
	Filename string
	Version  string
	Files    []struct{ Path string }
}

// pack packs a folder of web/ into dir and returns the name of the file.
func (c *checker) pack(ctx context.Context, dir, name string) (string, error) {
	said, err := command{dir: dir}.output(ctx, "npm", "pack", "--json", filepath.Join(c.clone.path("web"), name))
	if err != nil {
		return "", err
	}
	p, err := parsePacked([]byte(said))
	if err != nil {
		return "", fmt.Errorf("npm pack of %s: %w", name, err)
	}
	if "v"+p.Version != c.version {
		return "", fmt.Errorf("%s is %s, not %s", name, p.Version, c.version)
	}
	for _, want := range []string{"LICENSE", "README.md", "dist/index.js", "dist/index.d.ts"} {
		if !slices.ContainsFunc(p.Files, func(f struct{ Path string }) bool { return f.Path == want }) {
			return "", fmt.Errorf("%s has no %s", p.Filename, want)
		}
	}
	return p.Filename, nil
}

// parsePacked reads a list with one entry or, as newer releases of npm print it,
// an object with one.
func parsePacked(said []byte) (packed, error) {
	var list []packed
	if err := json.Unmarshal(said, &list); err == nil && len(list) == 1 {
		return list[0], nil
	}
	var named map[string]packed
	if err := json.Unmarshal(said, &named); err != nil {
		return packed{}, err
	}
	for _, p := range named {
		return p, nil
	}
	return packed{}, fmt.Errorf("no package in %s", said)
}

var copyOfProtobuf = regexp.MustCompile(`^.*node_modules/@bufbuild/protobuf/`)

// checkBundle reports what is wrong with a bundle, by esbuild's file on it.
func checkBundle(meta []byte) error {
	var bundle struct {
		Inputs map[string]any `json:"inputs"`
	}
	if err := json.Unmarshal(meta, &bundle); err != nil {
		return err
	}
	copies := make(map[string]bool)
	missing := slices.Clone(packages)
	for input := range bundle.Inputs {
		if c := copyOfProtobuf.FindString(input); c != "" {
			copies[c] = true
		}
		missing = slices.DeleteFunc(missing, func(name string) bool {
			return strings.HasPrefix(input, "node_modules/@parley-rpc/"+name+"/")
		})
	}
	if len(missing) > 0 {
		return fmt.Errorf("the bundle lacks %v", missing)
	}
	if len(copies) != 1 {
		return fmt.Errorf("the bundle has %d copies of protobuf-es: %v", len(copies), copies)
	}
	return nil
}
