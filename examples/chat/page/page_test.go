package page_test

import (
	"io/fs"
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/examples/chat/page"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatThePageLoadsIsThere(t *testing.T) {
	html, err := fs.ReadFile(page.Files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	loaded := regexp.MustCompile(`(?:src|href)="/([^"]*)"`).FindAllSubmatch(html, -1)
	if len(loaded) < 2 {
		t.Errorf("the page loads only %q", loaded)
	}
	for _, m := range loaded {
		if _, err := fs.Stat(page.Files, string(m[1])); err != nil {
			t.Error(err)
		}
	}
}
