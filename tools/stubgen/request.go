package main

import (
	"fmt"

	"github.com/bufbuild/protocompile/options"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// request is what protoc sends to a plugin: the files to generate for, with everything that they import before
// them, comments included. The compiler's version is left out, as buf leaves it out: plugins print it, and code
// should not depend on which of the two generated it.
func (s *source) request(parameter string) (*pluginpb.CodeGeneratorRequest, error) {
	req := new(pluginpb.CodeGeneratorRequest)
	if parameter != "" {
		req.Parameter = proto.String(parameter)
	}
	generate := make(map[string]bool)
	for _, f := range s.files {
		generate[f.Path()] = true
		req.FileToGenerate = append(req.FileToGenerate, f.Path())
	}
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor) error
	add = func(fd protoreflect.FileDescriptor) error {
		if seen[fd.Path()] {
			return nil
		}
		seen[fd.Path()] = true
		imports := fd.Imports()
		for i := range imports.Len() {
			if err := add(imports.Get(i).FileDescriptor); err != nil {
				return err
			}
		}
		file := fileProto(fd)
		if generate[fd.Path()] {
			// Options that are kept in sources only show here, and not below.
			req.SourceFileDescriptors = append(req.SourceFileDescriptors, file)
			stripped, err := options.StripSourceRetentionOptionsFromFile(file)
			if err != nil {
				return fmt.Errorf("%s: %w", fd.Path(), err)
			}
			file = stripped
		}
		req.ProtoFile = append(req.ProtoFile, file)
		return nil
	}
	for _, f := range s.files {
		if err := add(f); err != nil {
			return nil, err
		}
	}
	return req, nil
}

func fileProto(fd protoreflect.FileDescriptor) *descriptorpb.FileDescriptorProto {
	return protoutil.ProtoFromFileDescriptor(fd)
}
