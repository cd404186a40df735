package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is a clone of Parley's repository.
type repository struct {
	dir string // absolute
	out io.Writer
}

// openRepository returns the repository that a folder belongs to.
func openRepository(ctx context.Context, dir string, out io.Writer) (*repository, error) {
	top, err := command{dir: dir}.output(ctx, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	return &repository{dir: top, out: out}, nil
}

// path returns the absolute path of a slash-separated path in the repository.
func (r *repository) path(name string) string {
	return filepath.Join(r.dir, filepath.FromSlash(name))
}

func (r *repository) read(name string) (string, error) {
	text, err := os.ReadFile(r.path(name))
	return string(text), err
}

func (r *repository) write(name, text string) error {
	path := r.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// git returns what git prints on standard output.
func (r *repository) git(ctx context.Context, args ...string) (string, error) {
	return command{dir: r.dir}.output(ctx, "git", args...)
}

// say reports progress.
func (r *repository) say(format string, args ...any) {
	fmt.Fprintf(r.out, format+"\n", args...)
}

// remove removes a temporary folder, and adds to err why it cannot.
func remove(dir string, err *error) { *err = errors.Join(*err, os.RemoveAll(dir)) }

// command is where and how a program runs.
type command struct {
	dir string
	env []string // added to the environment
}

// output runs a program and returns what it prints on standard output, without
// the last line break. The error has what it prints on standard error.
func (c command) output(ctx context.Context, name string, args ...string) (string, error) {
	var stdout bytes.Buffer
	if err := c.run(ctx, &stdout, name, args...); err != nil {
		return "", err
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// run runs a program that prints to stdout. The error has what it prints on
// standard error, and on stdout if that is a buffer.
func (c command) run(ctx context.Context, stdout io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := stderr.String()
		if buffer, ok := stdout.(*bytes.Buffer); ok {
			said += buffer.String()
		}
		return fmt.Errorf("%s %s in %s: %w\n%s", name, strings.Join(args, " "), c.dir, err, said)
	}
	return nil
}
