package codegen

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// Generate answers a request of protoc or buf. What is wrong with the request,
// such as an unknown option or an edition that is too new, is told in the
// response's error.
func Generate(req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	resp, err := generate(req)
	if err != nil {
		resp = &pluginpb.CodeGeneratorResponse{Error: proto.String(err.Error())}
	}
	// Told with an error, too: without it protoc blames the plugin for not
	// knowing editions, and hides the error.
	resp.SupportedFeatures = proto.Uint64(supportedFeatures)
	resp.MinimumEdition = proto.Int32(int32(minEdition))
	resp.MaximumEdition = proto.Int32(int32(maxEdition))
	return resp
}

func generate(req *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	if err := checkEditions(req); err != nil {
		return nil, err
	}
	opts := defaultOptions()
	plugin, err := protogen.Options{ParamFunc: opts.set}.New(req)
	if err != nil {
		return nil, err
	}
	for _, file := range plugin.Files {
		if !file.Generate || len(file.Services) == 0 {
			continue
		}
		if err := generateFile(plugin, file, opts); err != nil {
			return nil, err
		}
	}
	return plugin.Response(), nil
}
