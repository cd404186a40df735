package codegen

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// What the plugin supports: the same as protoc-gen-go, whose messages the
// generated code uses.
const (
	supportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
		pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	minEdition = descriptorpb.Edition_EDITION_PROTO2
	maxEdition = descriptorpb.Edition_EDITION_2024
)

// checkEditions returns an error that names the first file to generate whose
// edition the plugin does not know. protoc checks that itself, but other
// compilers may not.
func checkEditions(req *pluginpb.CodeGeneratorRequest) error {
	wanted := make(map[string]bool, len(req.GetFileToGenerate()))
	for _, name := range req.GetFileToGenerate() {
		wanted[name] = true
	}
	for _, file := range req.GetProtoFile() {
		if !wanted[file.GetName()] || file.GetSyntax() != "editions" {
			continue
		}
		if e := file.GetEdition(); e < minEdition || e > maxEdition {
			return fmt.Errorf("%s is written in edition %s, but %s %s knows only proto2, proto3 and editions 2023 to %s: "+
				"update the plugin, or write the file in an edition that it knows",
				file.GetName(), editionName(e), pluginName, Version, editionName(maxEdition))
		}
	}
	return nil
}

func editionName(e descriptorpb.Edition) string {
	return strings.TrimPrefix(e.String(), "EDITION_")
}
