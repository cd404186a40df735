package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// supportedBy checks that a plugin knows the features that the sources use, so that an old plugin fails instead of
// generating wrong code.
func (s *source) supportedBy(res *pluginpb.CodeGeneratorResponse) error {
	has := func(f pluginpb.CodeGeneratorResponse_Feature) bool {
		return res.GetSupportedFeatures()&uint64(f) != 0
	}
	for _, f := range s.files {
		file := fileProto(f)
		if hasOptional(file) && !has(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL) {
			return fmt.Errorf("%s has optional fields in proto3, which the plugin does not support", f.Path())
		}
		if file.GetSyntax() != "editions" {
			continue
		}
		edition := file.GetEdition()
		if !has(pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS) ||
			int32(edition) < res.GetMinimumEdition() || int32(edition) > res.GetMaximumEdition() {
			return fmt.Errorf("%s is of edition %s, which the plugin does not support",
				f.Path(), strings.TrimPrefix(edition.String(), "EDITION_"))
		}
	}
	return nil
}

// hasOptional tells if file has a field that is declared optional in proto3.
func hasOptional(file *descriptorpb.FileDescriptorProto) bool {
	optional := (*descriptorpb.FieldDescriptorProto).GetProto3Optional
	var within func(*descriptorpb.DescriptorProto) bool
	within = func(m *descriptorpb.DescriptorProto) bool {
		return slices.ContainsFunc(m.GetField(), optional) || slices.ContainsFunc(m.GetExtension(), optional) ||
			slices.ContainsFunc(m.GetNestedType(), within)
	}
	return slices.ContainsFunc(file.GetExtension(), optional) || slices.ContainsFunc(file.GetMessageType(), within)
}
