package main

import (
	"strings"
	"testing"
)

func TestVagueWordsAreFoundInProseOnly(t *testing.T) {
	for _, c := range []struct {
		name, file, src, want string
	}{
		{"a comment of Go", "a.go", "package a\n\n// Nobody calls it.\n", "a.go:3: \"nobody\""},
		{"a phrase that is wrapped", "a.go", "// It tells the other\n// end.\n", "a.go:1: \"the other end\""},
		{"the second line", "a.go", "// It is\n// made anew.\n", "a.go:2: \"anew\""},
		{"a block", "a.ts", "/**\n * Fails for those\n * who wait.\n */\n", "a.ts:2: \"those who\""},
		{"behind code", "a.ts", "f(); // in vain\n", "a.ts:1: \"in vain\""},
		{"a document", "a.md", "# A\n\nWhoever it is.\n", "a.md:3: \"whoever\""},
		{"a string", "a.go", "var a = \"// nobody\" + `// nobody`\n", ""},
		{"a regular expression", "a.ts", "const a = /[/]\\/nobody \"/;\nconst b = \"// nobody\";\n", ""},
		{"a division", "a.ts", "const a = b / c; // d / nobody\n", "a.ts:1: \"nobody\""},
		{"code of a document", "a.md", "`nobody`\n\n```\nnobody\n```\n", ""},
		{"a comment of Python", "a.py", "a = 1\n# Nobody\n", "a.py:2: \"nobody\""},
		{"behind code of Python", "a.py", "a = '#' # made anew\n", "a.py:1: \"anew\""},
		{"a phrase that is wrapped in Python", "a.pyi", "# the other\n# end\n", "a.pyi:1: \"the other end\""},
		{"a docstring", "a.py", "def f() -> None:\n    \"\"\"\n    It calls \"f\".\n\n    Whoever.\n    \"\"\"\n", "a.py:5: \"whoever\""},
		{"a docstring of one line", "a.py", "\"\"\"Nobody.\"\"\"\n", "a.py:1: \"nobody\""},
		{"a string of Python", "a.py", "a = '# nobody'\nb = f\"# nobody\"\nc = \"\"\"nobody\n# nobody\"\"\"\nd = '\\'# nobody'\n", ""},
		{"a name", "a.go", "var nobody = renewal // the other endpoint, renewed\n", ""},
	} {
		var out strings.Builder
		found := 0
		for _, text := range textsOf(c.file, c.src) {
			found += report(&out, c.file, text)
		}
		if wanted := c.want != ""; wanted != (found == 1) || !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%s: %d found: %s", c.name, found, &out)
		}
	}
}
