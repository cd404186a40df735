package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

const usage = `usage: stubgen [-I DIR]... --plugin NAME=PATH [--plugin NAME=PATH]... --out DIR [--opt OPTS] FILE.proto...

  -I DIR              folder that imports are looked up in, in this order (default: the current folder)
  --plugin NAME=PATH  plugin to run; NAME stands for it in error messages
  --out DIR           folder that the plugins' files are written below; made if missing
  --opt OPTS          parameter handed to every plugin, such as paths=source_relative; given twice, joined by a comma
  FILE.proto          a path on disk below an import folder, or a path within one
`

// command is what a command line asks for.
type command struct {
	imports []string // folders, in the order of lookup
	plugins []plugin // in the order they run
	out     string   // folder
	opt     string   // parameter for every plugin
	files   []string // as given
}

// parseCommand returns flag.ErrHelp if args ask for help.
func parseCommand(args []string) (*command, error) {
	cmd := new(command)
	flags := flag.NewFlagSet("stubgen", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&cmd.out, "out", "", "")
	flags.Func("I", "", func(dir string) error {
		cmd.imports = append(cmd.imports, dir)
		return nil
	})
	flags.Func("plugin", "", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok || name == "" || path == "" {
			return errors.New("want NAME=PATH")
		}
		cmd.plugins = append(cmd.plugins, plugin{name: name, path: path})
		return nil
	})
	var opts []string
	flags.Func("opt", "", func(s string) error {
		opts = append(opts, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	cmd.files, cmd.opt = flags.Args(), strings.Join(opts, ",")
	if len(cmd.imports) == 0 {
		cmd.imports = []string{"."}
	}
	switch {
	case len(cmd.plugins) == 0:
		return nil, errors.New("no --plugin given")
	case cmd.out == "":
		return nil, errors.New("no --out given")
	case len(cmd.files) == 0:
		return nil, errors.New("no .proto file given")
	}
	for _, f := range cmd.files {
		if strings.HasPrefix(f, "-") {
			return nil, fmt.Errorf("flag %s after the first file: flags come before files", f)
		}
	}
	return cmd, nil
}
