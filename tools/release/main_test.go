package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// here returns the repository that the test belongs to.
func here(t *testing.T) *repository {
	t.Helper()
	r, err := openRepository(t.Context(), ".", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copied returns a repository with the files of this one, and one commit.
func copied(t *testing.T) *repository {
	t.Helper()
	r := here(t)
	tree, err := r.workingTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.files(t.Context(), ".", tree)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, file := range files {
		texts[file.Path()] = string(file.(archived).content)
	}
	return commit(t, t.TempDir(), texts)
}

// commit makes a repository with one commit.
func commit(t *testing.T, dir string, texts map[string]string) *repository {
	t.Helper()
	r := &repository{dir: dir, out: io.Discard}
	for name, text := range texts {
		if err := r.write(name, text); err != nil {
			t.Fatal(err)
		}
	}
	git(t, r, "init", "--quiet", "--initial-branch=main")
	git(t, r, "config", "user.name", "Parley")
	git(t, r, "config", "user.email", "parley@example.com")
	git(t, r, "add", "--all", "--force")
	git(t, r, "commit", "--quiet", "--message", "All of it")
	return r
}

func git(t *testing.T, r *repository, args ...string) string {
	t.Helper()
	out, err := r.git(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCommandLineThatIsNotUnderstoodChangesNothing(t *testing.T) {
	for _, line := range []string{"", "prepare", "check now", "tidy -x", "proxy", "what", "prepare v0.1.0 v0.2.0"} {
		if err := run(t.Context(), strings.Fields(line), io.Discard); err == nil || err.Error() != usage {
			t.Errorf("release %s: got %v, want the usage", line, err)
		}
	}
}

func TestErrorOfACommandHasItsOutput(t *testing.T) {
	_, err := command{dir: t.TempDir()}.output(context.Background(), "git", "rev-parse", "--show-toplevel")
	if err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("got %v", err)
	}
}

// write writes a file, and the folders above it.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
