// Protoc-gen-go-parley is a plugin of protoc and buf that generates Go clients
// and servers of Protobuf services for package rpc of Parley. It is run beside
// protoc-gen-go, which generates the messages.
//
// With buf, in buf.gen.yaml:
//
//	version: v2
//	plugins:
//	  - local: protoc-gen-go
//	    out: gen
//	    opt: paths=source_relative
//	  - local: protoc-gen-go-parley
//	    out: gen
//	    opt: paths=source_relative
//
// With protoc:
//
//	protoc --go_out=gen --go_opt=paths=source_relative \
//		--go-parley_out=gen --go-parley_opt=paths=source_relative \
//		acme/chat/v1/chat.proto
//
// Options are those of protoc-gen-go (paths, module, M, annotate_code) and
//
//	package_suffix=SUFFIX   what the name of the stubs' package adds to that of
//	                        the messages' package; "parley" unless it is given.
//	                        If it is empty, the stubs go into the messages' package.
package main

import (
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/parley-rpc/parley/internal/codegen"
)

const usage = `protoc-gen-go-parley is run by protoc or buf, which speak to it over standard input and output:

	protoc --go-parley_out=DIR --go-parley_opt=OPTIONS FILE.proto

Flags:
	--version	print the version and exit
	--help		print this text and exit
`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "protoc-gen-go-parley: %v\n", err)
		os.Exit(1)
	}
}

// run returns an error only for what is not a request of protoc; whatever is
// wrong with a request is told in the response.
func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "--version", "-version":
			_, err := fmt.Fprintln(out, "protoc-gen-go-parley", codegen.Version)
			return err
		case "--help", "-help", "-h":
			_, err := io.WriteString(out, usage)
			return err
		default:
			return fmt.Errorf("unknown argument %q\n\n%s", args[0], usage)
		}
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	req := new(pluginpb.CodeGeneratorRequest)
	if err := proto.Unmarshal(data, req); err != nil {
		return fmt.Errorf("parse the request: %w", err)
	}
	data, err = proto.Marshal(codegen.Generate(req))
	if err != nil {
		return fmt.Errorf("marshal the response: %w", err)
	}
	_, err = out.Write(data)
	return err
}
