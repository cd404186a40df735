package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// goIn runs the go command of a user in a folder.
func (c *checker) goIn(ctx context.Context, dir string, args ...string) (string, error) {
	return command{dir: dir, env: c.goEnv}.output(ctx, "go", args...)
}

// buildModules compiles each published module from the clone with the versions
// that its go.mod names, and nothing else: in the workspace they may be newer.
func (c *checker) buildModules(ctx context.Context) error {
	for _, folder := range published {
		if _, err := c.goIn(ctx, c.clone.path(folder), "vet", "-mod=readonly", "./..."); err != nil {
			return err
		}
	}
	return nil
}

// testRelease runs the tests that go by the version, on what is released.
func (c *checker) testRelease(ctx context.Context) error {
	for folder, tests := range map[string]string{
		goldens:         "Golden",
		"tools/release": "Published|Package|Workspace",
	} {
		if _, err := (command{dir: c.clone.path(folder)}).output(ctx, "go", "test", "-run", tests, "."); err != nil {
			return err
		}
	}
	return nil
}

// installPrograms installs the commands, and checks their versions.
func (c *checker) installPrograms(ctx context.Context) error {
	for _, program := range []string{"cmd/parley", "codegen/protoc-gen-go-parley"} {
		if _, err := c.goIn(ctx, c.temporary, "install", modulePath(program)+"@"+c.version); err != nil {
			return err
		}
		installed := filepath.Join(c.temporary, "bin", filepath.Base(program))
		said, err := command{dir: c.temporary}.output(ctx, installed, "--version")
		if err != nil {
			return err
		}
		if !strings.Contains(said, c.version) {
			return fmt.Errorf("%s --version prints %q, without %s", program, said, c.version)
		}
	}
	return nil
}

// userProgram imports the modules that are got.
const userProgram = `package main

import (
	_ "` + rootPath + `/ext/cluster"
	_ "` + rootPath + `/ext/cluster/natsbus"
	_ "` + rootPath + `/ext/connect"
	_ "` + rootPath + `/ext/grpc"
	_ "` + rootPath + `/ext/otel"
	_ "` + rootPath + `/rpc"
)

func main() {}
`

// getModules makes a new module that requires what is published, and compiles
// it.
func (c *checker) getModules(ctx context.Context) error {
	dir := filepath.Join(c.temporary, "user")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(userProgram), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/user"},
		{"get", modulePath("ext/connect") + "@" + c.version},
		{"get", modulePath("ext/grpc") + "@" + c.version},
		{"get", modulePath("ext/otel") + "@" + c.version},
		{"get", modulePath("ext/cluster") + "@" + c.version},
		{"get", modulePath("ext/cluster/natsbus") + "@" + c.version},
		{"mod", "tidy"},
		{"build", "."},
	} {
		if _, err := c.goIn(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// firstService does what a reader of the README does. The test of the examples
// does so by version, from a proxy of its own.
func (c *checker) firstService(ctx context.Context) error {
	readme, err := c.clone.read("README.md")
	if err != nil {
		return err
	}
	if strings.Contains(readme, "-replace=") {
		return errors.New("README.md has a replacement: what it shows must install by version")
	}
	const test = "TestFirstServiceWorksAsWritten"
	said, err := command{dir: c.clone.dir}.output(ctx, "go", "test", "-count=1", "-v", "-run", "^"+test+"$", "./examples")
	if err == nil && !strings.Contains(said, "--- PASS: "+test) {
		return fmt.Errorf("%s has not run:\n%s", test, said)
	}
	return err
}
