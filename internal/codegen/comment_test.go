package codegen

import (
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestCarriedCommentsAreSafeInGo(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"plain", " One.\n Two.\n", []string{" One.", " Two."}},
		{"blank lines around", "\n\n One.\n\n Two.\n\n", []string{" One.", "", " Two."}},
		{"directive", "go:build never\nnolint:all\n", []string{" go:build never", " nolint:all"}},
		{"old build constraint", " +build never\n", []string{" (+build never)"}},
		{"indented", "   code\n\tmore\n", []string{"   code", "\tmore"}},
		{"carriage returns", " One.\r\n Two.\r\n", []string{" One.", " Two."}},
		{"control characters", " a\x00b\x07c\n", []string{" a b c"}},
		{"byte order mark", " a\uFEFFb\n", []string{" a b"}},
		{"another direction", " a\u202Eb\u2066c\n", []string{" a b c"}},
		{"not UTF-8", " Gr\xf6\xdfe\n", []string{" Gr��e"}},
		{"end of a block comment", " a */ b\n", []string{" a */ b"}},
		{"only blanks", "  \n \n", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := carriedLines(test.text); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDeprecationIsMarkedOnce(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unmarked", " Old.\n", "// Old.\n//\n// Deprecated: because."},
		{"uncommented", "", "// Deprecated: because."},
		{"marked by its author", " Old.\n\n Deprecated: use New.\n", "// Old.\n//\n// Deprecated: use New."},
		{"mentioned in a sentence", " Old:\n Deprecated: it is not.\n", "// Old:\n// Deprecated: it is not.\n//\n// Deprecated: because."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c comment
			c.carry(protogen.Comments(test.text))
			c.deprecate("because.")
			if got := c.String(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestGeneratedSentencesAreWrapped(t *testing.T) {
	var c comment
	c.sayf("%s", strings.Repeat("word ", 40)+strings.Repeat("x", 100)+" end")
	for _, line := range c.lines {
		if len(line) > commentWidth && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
	if words := strings.Fields(strings.Join(c.lines, " ")); len(words) != 42 {
		t.Errorf("got %d words, want 42", len(words))
	}
}

// A directive as the Go tools read it: no blank after the slashes, or +build.
var directive = regexp.MustCompile(`(?m)^//([a-z]|\s*\+build)`)

func FuzzCarriedCommentStaysAComment(f *testing.F) {
	f.Add(" One.\n\n Two.\n")
	f.Add("go:build never\n+build never\nline x.go:1\nexport f")
	f.Add("\x00\uFEFF\xff\r*/\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		var c comment
		c.carry(protogen.Comments(text))
		if found := directive.FindString(c.String()); found != "" {
			t.Errorf("%q became the directive %q", text, found)
		}
		source := c.String() + "\npackage p\n"
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
		if err != nil {
			t.Fatalf("%q became invalid Go: %v", text, err)
		}
		if len(parsed.Decls) > 0 {
			t.Errorf("%q declares something", text)
		}
	})
}

// TestPathOfTheProtoCannotDeclareAnything: a file may have any name.
func TestPathOfTheProtoCannotDeclareAnything(t *testing.T) {
	for path, want := range map[string]string{
		"acme/größe-1_a.v2.proto":           "acme/größe-1_a.v2.proto",
		"a\nfunc init() { panic(1) }.proto": `"a\nfunc\x20init()\x20{\x20panic(1)\x20}.proto"`,
		"+build ignore":                     `"+build\x20ignore"`,
		"a\u202Eb\xff":                      `"a\u202eb\xff"`,
	} {
		if got := shownPath(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
	files := mustGenerate(t, newRequest("paths=source_relative", deprecated("a\nfunc init() { panic(1) }\n//.proto")))
	if code := parsedCode(t, files); len(files) != 1 || strings.Contains(code, "init") {
		t.Errorf("it declares\n%s", code)
	}
}

// FuzzPathOfTheProtoStaysInComments generates code for a file of any name.
func FuzzPathOfTheProtoStaysInComments(f *testing.F) {
	for _, path := range []string{
		"acme/cart.proto", "größe.proto", "a b.proto", "a\nfunc init() { panic(1) }\n//.proto", "+build ignore", "x \n+build ignore\n\n.proto",
		"\r//go:build never\r.proto", "a\x00b", "\xff", "\uFEFF", "a\u2028b", "a\u202Eb", "*/ func f() {} /*", `"`, "go:build never",
	} {
		f.Add(path)
	}
	want := parsedCode(f, mustGenerate(f, newRequest("paths=source_relative", deprecated("cart.proto"))))
	f.Fuzz(func(t *testing.T, path string) {
		resp := Generate(newRequest("paths=source_relative", deprecated(path)))
		if strings.Contains(resp.GetError(), "unparsable Go") {
			t.Fatalf("%q: %s", path, resp.GetError())
		}
		if resp.Error != nil {
			return // protogen refuses it
		}
		files := make(map[string]string)
		for _, file := range resp.File {
			files[file.GetName()] = file.GetContent()
		}
		if got := parsedCode(t, files); got != want {
			t.Errorf("%q makes it declare\n%s\ninstead of\n%s", path, got, want)
		}
	})
}

// deprecated returns a file with a service in which everything is deprecated.
func deprecated(path string) *descriptorpb.FileDescriptorProto {
	file := newFile("cart.proto", "Cart.Add")
	file.Name = proto.String(path)
	file.Options.Deprecated = proto.Bool(true)
	file.Service[0].Options = &descriptorpb.ServiceOptions{Deprecated: proto.Bool(true)}
	file.Service[0].Method[0].Options = &descriptorpb.MethodOptions{Deprecated: proto.Bool(true)}
	return file
}

// parsedCode parses generated files, and returns what they declare. Comments that are
// directives fail the test.
func parsedCode(t testing.TB, files map[string]string) string {
	t.Helper()
	var all []string
	for _, source := range files {
		if found := directive.FindString(source); found != "" {
			t.Errorf("there is the directive %q in\n%s", found, source)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil {
			t.Fatalf("%v in\n%s", err, source)
		}
		var text strings.Builder
		if err := printer.Fprint(&text, token.NewFileSet(), parsed.Decls); err != nil {
			t.Fatal(err)
		}
		all = append(all, text.String())
	}
	return strings.Join(all, "\n")
}
