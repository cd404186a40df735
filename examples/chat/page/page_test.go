package page

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPageIsServedWithAllThatItNames(t *testing.T) {
	types := map[string]string{"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
	html := get(t, "/")
	if got := html.Header().Get("Content-Type"); html.Code != http.StatusOK || !strings.HasPrefix(got, "text/html") {
		t.Fatalf("/ is answered with %d, %s", html.Code, got)
	}
	names := regexp.MustCompile(`(?:src|href)="([^"#]+\.(\w+))"`).FindAllStringSubmatch(html.Body.String(), -1)
	if len(names) < 3 {
		t.Errorf("the page names %q only", names)
	}
	for _, name := range names {
		file := get(t, "/"+strings.TrimPrefix(name[1], "./"))
		if got := file.Header().Get("Content-Type"); file.Code != http.StatusOK || !strings.HasPrefix(got, types[name[2]]) {
			t.Errorf("%s is answered with %d, %s", name[1], file.Code, got)
		}
	}
	if got := get(t, "/nothing").Code; got != http.StatusNotFound {
		t.Errorf("/nothing is answered with %d", got)
	}
}

// The page would not work with anything that its policy forbids.
func TestPageHasNoInlineCodeAndForbidsIt(t *testing.T) {
	html := get(t, "/")
	policy := html.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]|javascript:`)
	if found := inline.FindString(html.Body.String()); found != "" {
		t.Errorf("the page has %q", found)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy":        "no-referrer",
		"Cache-Control":          "no-cache",
	} {
		if got := html.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
