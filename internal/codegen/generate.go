package codegen

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// Generate handles a request of protoc or buf. The error of the response says
// what is wrong with the request, such as an unknown option or an edition that
// is too new.
func Generate(req *pluginpb.CodeGeneratorRequest) *pluginpb.CodeGeneratorResponse {
	resp, err := generate(req)
	if err != nil {
		resp = &pluginpb.CodeGeneratorResponse{Error: proto.String(err.Error())}
	}
	// Set with an error too: without it, protoc reports that the plugin does
	// not know editions, and hides the error.
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
