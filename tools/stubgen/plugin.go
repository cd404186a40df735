package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugin is a program that speaks protoc's plugin protocol: a CodeGeneratorRequest on its standard input, a
// CodeGeneratorResponse on its standard output.
type plugin struct {
	name string
	path string
}

// run fails if the plugin cannot be run, exits with another status than 0, or answers with an error.
func (p plugin) run(ctx context.Context, req *pluginpb.CodeGeneratorRequest, stderr io.Writer) (*pluginpb.CodeGeneratorResponse, error) {
	in, err := proto.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	cmd := exec.CommandContext(ctx, p.path)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s: %w", p.path, err)
	}
	res := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out.Bytes(), res); err != nil {
		return nil, fmt.Errorf("its output is not a CodeGeneratorResponse: %w", err)
	}
	if res.Error != nil {
		return nil, errors.New(strings.TrimSpace(res.GetError()))
	}
	return res, nil
}
