package main

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/mod/module"
)

// writeProxy writes the files of a module proxy that serves the published modules
// as they are in the revisions that revisionOf returns, by file://DIR.
func (r *repository) writeProxy(ctx context.Context, dir, version string, revisionOf func(folder string) string) error {
	for _, folder := range published {
		escaped, err := module.EscapePath(modulePath(folder))
		if err != nil {
			return err
		}
		base := filepath.Join(dir, filepath.FromSlash(escaped), "@v")
		if err := os.MkdirAll(base, 0o755); err != nil {
			return err
		}
		revision := revisionOf(folder)
		mod, err := r.git(ctx, "show", revision+":"+path.Join(folder, "go.mod"))
		if err != nil {
			return err
		}
		info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC().Truncate(time.Second)})
		if err != nil {
			return err
		}
		for name, content := range map[string]string{
			"list": version + "\n", version + ".info": string(info), version + ".mod": mod + "\n",
		} {
			if err := os.WriteFile(filepath.Join(base, name), []byte(content), 0o644); err != nil {
				return err
			}
		}
		if err := r.writeZip(ctx, filepath.Join(base, version+".zip"), folder, version, revision); err != nil {
			return err
		}
	}
	return nil
}

// writeWorkingProxy writes a proxy that serves the working tree.
func (r *repository) writeWorkingProxy(ctx context.Context, dir string) error {
	version, err := r.version()
	if err != nil {
		return err
	}
	tree, err := r.workingTree(ctx)
	if err != nil {
		return err
	}
	return r.writeProxy(ctx, dir, version, func(string) string { return tree })
}
