package codegen

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func TestParameterDecidesWhereFilesGo(t *testing.T) {
	tests := []struct{ parameter, file, clause string }{
		{"", "example.com/acme/shop/shopparley/cart.parley.go", "package shopparley"},
		{"paths=import", "example.com/acme/shop/shopparley/cart.parley.go", "package shopparley"},
		{"paths=source_relative", "acme/shopparley/cart.parley.go", "package shopparley"},
		{"module=example.com/acme", "shop/shopparley/cart.parley.go", "package shopparley"},
		{"package_suffix=rpc", "example.com/acme/shop/shoprpc/cart.parley.go", "package shoprpc"},
		{"package_suffix=_2", "example.com/acme/shop/shop_2/cart.parley.go", "package shop_2"},
		{"package_suffix=", "example.com/acme/shop/cart.parley.go", "package shop"},
		{"package_suffix", "example.com/acme/shop/cart.parley.go", "package shop"},
		{"paths=source_relative,package_suffix=", "acme/cart.parley.go", "package shop"},
		{"Macme/cart.proto=example.com/other;market", "example.com/other/marketparley/cart.parley.go", "package marketparley"},
		{"Macme/cart.proto=./pb,package_suffix=", "pb/cart.parley.go", "package shop"},
		{"default_api_level=API_OPAQUE", "example.com/acme/shop/shopparley/cart.parley.go", "package shopparley"},
	}
	for _, test := range tests {
		t.Run(test.parameter, func(t *testing.T) {
			file := newFile("cart.proto", "Cart.Add")
			file.Name = proto.String("acme/cart.proto")
			files := mustGenerate(t, newRequest(test.parameter, file))
			if len(files) != 1 {
				t.Fatalf("got %d files, want 1", len(files))
			}
			content, ok := files[test.file]
			if !ok {
				t.Fatalf("got %v, want %s", slices.Collect(maps.Keys(files)), test.file)
			}
			if !strings.Contains(content, "\n"+test.clause+"\n") {
				t.Errorf("no line %q in\n%s", test.clause, content)
			}
		})
	}
}

func TestAnnotateCodeSaysWhereSymbolsComeFrom(t *testing.T) {
	files := mustGenerate(t, newRequest("annotate_code,paths=source_relative", newFile("cart.proto", "Cart.Add")))
	meta, ok := files["shopparley/cart.parley.go.meta"]
	if !ok {
		t.Fatalf("got %v, want a .meta file", slices.Collect(maps.Keys(files)))
	}
	if !strings.Contains(meta, "cart.proto") {
		t.Errorf("the .meta file does not name the source: %s", meta)
	}
}

func TestFileWithoutServicesYieldsNothing(t *testing.T) {
	if files := mustGenerate(t, newRequest("", newFile("cart.proto", ""))); len(files) != 0 {
		t.Errorf("got %v, want no file", slices.Collect(maps.Keys(files)))
	}
}

func TestImportedFilesAreNotGenerated(t *testing.T) {
	req := newRequest("", newFile("base.proto", "Base.Get"), newFile("cart.proto", "Cart.Add"))
	req.ProtoFile[1].Dependency = []string{"base.proto"}
	req.FileToGenerate = []string{"cart.proto"}
	files := mustGenerate(t, req)
	if _, ok := files["example.com/acme/shop/shopparley/cart.parley.go"]; !ok || len(files) != 1 {
		t.Errorf("got %v, want cart.parley.go only", slices.Collect(maps.Keys(files)))
	}
}

func TestBadRequestsAreAnsweredWithAnError(t *testing.T) {
	future := newFile("cart.proto", "Cart.Add")
	future.Syntax = proto.String("editions")
	future.Edition = descriptorpb.Edition_EDITION_99997_TEST_ONLY.Enum()
	homeless := newFile("cart.proto", "Cart.Add")
	homeless.Options = nil
	relative := newFile("cart.proto", "Cart.Add")
	relative.Options.GoPackage = proto.String("./pb")
	cart := newFile("cart.proto", "Cart.Add")

	tests := []struct {
		name string
		req  *pluginpb.CodeGeneratorRequest
		want []string
	}{
		{"unknown option", newRequest("grpc=true", cart), []string{`unknown option "grpc"`, "package_suffix"}},
		{"suffix that is no identifier", newRequest("package_suffix=my-rpc", cart), []string{"cart.proto", "package_suffix=my-rpc", `"shopmy-rpc"`}},
		{"suffix with a path", newRequest("package_suffix=/rpc", cart), []string{"package_suffix=/rpc"}},
		{"unknown paths", newRequest("paths=absolute", cart), []string{`"absolute"`, "source_relative"}},
		{"module with source_relative", newRequest("module=example.com,paths=source_relative", cart), []string{"module=", "paths=source_relative"}},
		{"file outside of the module", newRequest("module=example.org", cart), []string{"example.org"}},
		{"no Go package", newRequest("", homeless), []string{"cart.proto", "go_package"}},
		{"relative Go package", newRequest("", relative), []string{"cart.proto", `"./pb"`, "full import path", "package_suffix="}},
		{"edition of the future", newRequest("", future), []string{"cart.proto", "99997", Version, "2024", "update the plugin"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := Generate(test.req)
			for _, want := range test.want {
				if !strings.Contains(resp.GetError(), want) {
					t.Errorf("the error does not say %s: %q", want, resp.GetError())
				}
			}
			if len(resp.File) > 0 {
				t.Errorf("got %d files beside the error", len(resp.File))
			}
			if resp.GetSupportedFeatures() != supportedFeatures || resp.GetMaximumEdition() != int32(maxEdition) {
				t.Error("an answer with an error does not say what the plugin supports")
			}
		})
	}
}

func TestEveryKnownEditionIsAccepted(t *testing.T) {
	for _, edition := range []descriptorpb.Edition{descriptorpb.Edition_EDITION_2023, descriptorpb.Edition_EDITION_2024} {
		file := newFile("cart.proto", "Cart.Add")
		file.Syntax = proto.String("editions")
		file.Edition = edition.Enum()
		if files := mustGenerate(t, newRequest("", file)); len(files) != 1 {
			t.Errorf("edition %v: got %d files, want 1", edition, len(files))
		}
	}
}
