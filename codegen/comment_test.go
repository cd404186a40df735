package codegen

import (
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
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

func TestOwnSentencesAreWrapped(t *testing.T) {
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

// A directive, as the Go tools read it: no blank after the slashes, or +build.
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
