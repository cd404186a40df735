package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"google.golang.org/protobuf/types/pluginpb"
)

// output gathers the files of all plugins, so that either all are written or none.
type output struct {
	files []outputFile
}

type outputFile struct {
	name    string // slash-separated, below the output folder
	content string
}

// add takes the files of one plugin. It refuses names that leave the output folder and names taken already.
func (o *output) add(res *pluginpb.CodeGeneratorResponse) error {
	first := len(o.files)
	for _, f := range res.GetFile() {
		if f.GetInsertionPoint() != "" {
			return fmt.Errorf("%s: insertion points are not supported", f.GetName())
		}
		if f.GetName() == "" { // the previous file goes on: plugins cut large files
			if len(o.files) == first {
				return errors.New("a file without a name")
			}
			o.files[len(o.files)-1].content += f.GetContent()
			continue
		}
		name := path.Clean(f.GetName())
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("file %q is outside of the output folder", f.GetName())
		}
		for _, other := range o.files {
			if other.name == name {
				return fmt.Errorf("file %q is generated twice", name)
			}
		}
		o.files = append(o.files, outputFile{name: name, content: f.GetContent()})
	}
	return nil
}

// write puts the files below the folder dir, and makes dir if need be. It follows no symbolic link out of dir.
func (o *output) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a folder that was only looked names up in: nothing can be lost
	for _, f := range o.files {
		name := filepath.FromSlash(f.name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, []byte(f.content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
