package codegen

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// newFile returns a file with a message Item in the Go package acme/shop, and
// with the given services: "Cart.Add Cart.Drop Admin".
func newFile(name, services string) *descriptorpb.FileDescriptorProto {
	file := &descriptorpb.FileDescriptorProto{
		Name:    proto.String(name),
		Package: proto.String("acme.shop"),
		Syntax:  proto.String("proto3"),
		Options: &descriptorpb.FileOptions{GoPackage: proto.String("example.com/acme/shop;shop")},
	}
	item := strings.TrimSuffix(name, ".proto") + "_Item"
	file.MessageType = []*descriptorpb.DescriptorProto{{Name: proto.String(item)}}
	byName := make(map[string]*descriptorpb.ServiceDescriptorProto)
	for _, word := range strings.Fields(services) {
		service, method, _ := strings.Cut(word, ".")
		s := byName[service]
		if s == nil {
			s = &descriptorpb.ServiceDescriptorProto{Name: proto.String(service)}
			byName[service] = s
			file.Service = append(file.Service, s)
		}
		if method != "" {
			s.Method = append(s.Method, &descriptorpb.MethodDescriptorProto{
				Name:       proto.String(method),
				InputType:  proto.String(".acme.shop." + item),
				OutputType: proto.String(".acme.shop." + item),
			})
		}
	}
	return file
}

func newRequest(parameter string, files ...*descriptorpb.FileDescriptorProto) *pluginpb.CodeGeneratorRequest {
	req := &pluginpb.CodeGeneratorRequest{Parameter: proto.String(parameter), ProtoFile: files}
	for _, file := range files {
		req.FileToGenerate = append(req.FileToGenerate, file.GetName())
	}
	return req
}

// mustGenerate returns the text of each generated file by its name.
func mustGenerate(t testing.TB, req *pluginpb.CodeGeneratorRequest) map[string]string {
	t.Helper()
	resp := Generate(req)
	if resp.Error != nil {
		t.Fatalf("the plugin answered with an error: %s", resp.GetError())
	}
	files := make(map[string]string)
	for _, file := range resp.File {
		files[file.GetName()] = file.GetContent()
	}
	return files
}
