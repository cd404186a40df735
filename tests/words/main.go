// Command words reports vague words in comments of Go, TypeScript, Protocol Buffers and
// Python files, in docstrings of Python, and in Markdown. Each has a plainer equivalent:
// a named actor, or the field's term. Code, strings and code spans are not examined.
//
//	go run ./tests/words
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// vague maps each word to what to write instead. The words are regular expressions.
var vague = []struct{ word, instead string }{
	{`tells whether`, "reports whether"},
	{`whoever`, "name the actor: the caller, the goroutine that"},
	{`nobody`, "name the actor, or use the passive of a thing: no caller, unregistered"},
	{`those who`, "name the actors: callers that, senders that"},
	{`the other end`, "the peer"},
	{`anew`, "again"},
	{`in vain`, "say what fails or is aborted"},
}

func main() {
	found, err := check(".", os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(2)
	}
	if found > 0 {
		fmt.Fprintf(os.Stderr, "words: %d found\n", found)
		os.Exit(1)
	}
}

// check reports the vague words of the files of a repository to w, and returns how many
// there are.
func check(root string, w io.Writer) (found int, err error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
		"*.go", "*.ts", "*.tsx", "*.js", "*.proto", "*.md", "*.py", "*.pyi")
	cmd.Dir = root
	names, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		src, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) || built(name, src) {
			continue // deleted, but not yet in git; or made by a bundler
		}
		if err != nil {
			return found, err
		}
		for _, t := range textsOf(name, string(src)) {
			found += report(w, name, t)
		}
	}
	return found, nil
}

// built reports whether a file was made by a bundler, which does not keep our comments.
func built(name string, src []byte) bool {
	return strings.HasSuffix(name, ".js") && bytes.Count(src, []byte("\n"))*400 < len(src)
}

var patterns = compile()

func compile() (all []*regexp.Regexp) {
	for _, v := range vague {
		all = append(all, regexp.MustCompile(`(?i)\b`+strings.ReplaceAll(v.word, " ", `\s+`)+`\b`))
	}
	return all
}

// report writes a line for each vague word of a text, and returns how many there are.
func report(w io.Writer, name string, t text) (found int) {
	for i, p := range patterns {
		for _, at := range p.FindAllStringIndex(t.body, -1) {
			line := t.line + strings.Count(t.body[:at[0]], "\n")
			fmt.Fprintf(w, "%s:%d: %q: %s\n", name, line, vague[i].word, vague[i].instead)
			found++
		}
	}
	return found
}
