package codegen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// declarations parses generated files and returns the names of what they
// declare; methods as "Type.Method". A name that is declared twice fails the test.
func declarations(t *testing.T, files map[string]string) []string {
	t.Helper()
	names := make(map[string]bool)
	declare := func(name string) {
		if name == "_" {
			return
		}
		if names[name] {
			t.Errorf("%s is declared twice", name)
		}
		names[name] = true
	}
	for name, content := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					declare(decl.Name.Name)
				} else {
					declare(decl.Recv.List[0].Type.(*ast.Ident).Name + "." + decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						declare(spec.Name.Name)
					case *ast.ValueSpec:
						declare(spec.Names[0].Name)
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func TestClashingNamesGiveWayInAnyOrder(t *testing.T) {
	tests := []struct {
		name     string
		services string
		want     []string
	}{
		{"constructor and client", "Foo.Get NewFoo.Get", []string{"FooClient", "NewFooClient", "NewFoo_Client", "NewNewFoo_Client"}},
		{"register and server", "Foo.Get RegisterFoo.Get", []string{"RegisterFooServer", "RegisterFoo_Server"}},
		{"unimplemented and server", "Foo.Get UnimplementedFoo.Get", []string{"UnimplementedFooServer", "UnimplementedFoo_Server"}},
		{"same name in Go", "foo_bar.Get FooBar.Get", []string{"FooBarClient", "FooBar_Client"}},
		{"method descriptors", "Foo.BarBaz FooBar.Baz", []string{"FooBarBazMethod", "FooBar_BazMethod"}},
		{"methods with the same name in Go", "Foo.GetFoo Foo.get_foo", []string{"UnimplementedFooServer.GetFoo", "UnimplementedFooServer.Get_foo"}},
		{"methods that differ in case", "Foo.GetFoo Foo.getFoo", []string{"UnimplementedFooServer.GetFoo", "UnimplementedFooServer.GetFoo_"}},
		{"methods none of which is Go's", "Foo.get_foo Foo.getFoo", []string{"UnimplementedFooServer.GetFoo", "UnimplementedFooServer.Get_foo"}},
		{"methods with leading underscores", "Foo.XGet Foo._get", []string{"UnimplementedFooServer.XGet", "UnimplementedFooServer.X_get"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			words := strings.Fields(test.services)
			there := declarations(t, mustGenerate(t, newRequest("", newFile("shop.proto", test.services))))
			slices.Reverse(words)
			back := declarations(t, mustGenerate(t, newRequest("", newFile("shop.proto", strings.Join(words, " ")))))
			if !slices.Equal(there, back) {
				t.Errorf("the order in the .proto changes the names:\n%v\n%v", there, back)
			}
			for _, want := range test.want {
				if !slices.Contains(there, want) {
					t.Errorf("%s is not declared; got %v", want, there)
				}
			}
		})
	}
}

func TestFilesOfOnePackageShareItsNames(t *testing.T) {
	foo, newFoo := newFile("a.proto", "NewFoo.Get"), newFile("b.proto", "Foo.Get")
	names := declarations(t, mustGenerate(t, newRequest("", foo, newFoo)))
	for _, want := range []string{"NewFooClient", "NewFoo_Client"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not declared; got %v", want, names)
		}
	}
}

func TestStubsGiveWayToMessagesOfTheirPackage(t *testing.T) {
	file := newFile("Foo.proto", "Foo.Get") // declares the message Foo_Item
	file.MessageType[0].Name = ptr("FooClient")
	file.Service[0].Method[0].InputType = ptr(".acme.shop.FooClient")
	file.Service[0].Method[0].OutputType = ptr(".acme.shop.FooClient")

	names := declarations(t, mustGenerate(t, newRequest("package_suffix=", file)))
	if slices.Contains(names, "FooClient") || !slices.Contains(names, "Foo_Client") {
		t.Errorf("the client does not give way to the message FooClient: %v", names)
	}
	names = declarations(t, mustGenerate(t, newRequest("", file)))
	if !slices.Contains(names, "FooClient") {
		t.Errorf("the client gives way to a message of another package: %v", names)
	}
}

func ptr[T any](v T) *T { return &v }
