package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// archived is a file of a module, as package zip needs it.
type archived struct {
	name    string
	info    fs.FileInfo
	content []byte
}

func (f archived) Path() string                 { return f.name }
func (f archived) Lstat() (fs.FileInfo, error)  { return f.info, nil }
func (f archived) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.content)), nil }

// files returns the files below a folder in a revision: a commit, a tag or a tree.
func (r *repository) files(ctx context.Context, folder, revision string) ([]zip.File, error) {
	var packed bytes.Buffer
	args := []string{"archive", "--format=tar", revision}
	if folder != "." {
		args = append(args, folder)
	}
	if err := (command{dir: r.dir}).run(ctx, &packed, "git", args...); err != nil {
		return nil, err
	}
	var files []zip.File
	for archive := tar.NewReader(&packed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		name := header.Name
		if folder != "." {
			name = strings.TrimPrefix(name, folder+"/")
		}
		files = append(files, archived{name, header.FileInfo(), content})
	}
}

// writeZip writes the archive of a module to a file, as a module proxy serves it.
func (r *repository) writeZip(ctx context.Context, file, folder, version, revision string) (err error) {
	files, err := r.files(ctx, folder, revision)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return zip.Create(out, module.Version{Path: modulePath(folder), Version: version}, files)
}

// sums returns the lines of go.sum for a module.
func (r *repository) sums(ctx context.Context, folder, version, revision string) (lines string, err error) {
	temporary, err := os.MkdirTemp("", "parley-sums-")
	if err != nil {
		return "", err
	}
	defer remove(temporary, &err)
	file := filepath.Join(temporary, "module.zip")
	if err := r.writeZip(ctx, file, folder, version, revision); err != nil {
		return "", err
	}
	all, err := dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		return "", err
	}
	text, err := r.git(ctx, "show", revision+":"+path.Join(folder, "go.mod"))
	if err != nil {
		return "", err
	}
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text + "\n")), nil
	})
	if err != nil {
		return "", err
	}
	name := modulePath(folder)
	return fmt.Sprintf("%s %s %s\n%s %s/go.mod %s\n", name, version, all, name, version, mod), nil
}

// workingTree returns a tree of git that has the files as they are, apart from
// those that git ignores.
func (r *repository) workingTree(ctx context.Context) (tree string, err error) {
	index, err := r.git(ctx, "rev-parse", "--path-format=absolute", "--git-path", "index")
	if err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp("", "parley-index-")
	if err != nil {
		return "", err
	}
	defer remove(temporary, &err)
	// A copy knows which files have not changed, and leaves what is staged alone.
	copied := filepath.Join(temporary, "index")
	content, err := os.ReadFile(index)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		return "", err
	}
	git := command{dir: r.dir, env: []string{"GIT_INDEX_FILE=" + copied}}
	if _, err := git.output(ctx, "git", "add", "--all"); err != nil {
		return "", err
	}
	return git.output(ctx, "git", "write-tree")
}
