package translate_test

import (
	"net/http"
	"reflect"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

func TestOnlyWhatMetadataCanHaveIsLeft(t *testing.T) {
	got := translate.Clean(metadata.MD{
		"key": {"a", " padded\t", "ü", "line\nbreak", "tab\tinside", "\x7f", ""}, "UPPER": {"b"}, "raw-bin": {"\x00\xff\n"},
		"": {"x"}, "key!": {"x"}, "a b": {"x"}, "grüße": {"x"}, ":path": {"x"}, "te": {"x"}, "none": {"\x01"}, "no-values": {},
	})
	want := metadata.MD{"key": {"a", "padded", ""}, "upper": {"b"}, "raw-bin": {"\x00\xff\n"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsCleanedSharesNoSlice(t *testing.T) {
	values := append(make([]string, 0, 4), "a")
	got := translate.Clean(metadata.MD{"key": values})
	_ = append(got["key"], "b")
	if got["key"][0] = "c"; values[0] != "a" || values[:2][1] != "" {
		t.Errorf("got %q", values[:2])
	}
}

func TestHTTPHeadersBecomeMetadata(t *testing.T) {
	h := http.Header{
		"Cookie": {"a=1", "b=ü", "c=3"}, "X!Y": {"x"}, "X-Data-Bin": {"AP8=, AP8", "not base64!", ""},
	}
	for name, want := range map[string][]string{
		"cookie": {"a=1", "c=3"}, "Cookie": {"a=1", "c=3"}, "X!Y": nil, "x-data-bin": {"\x00\xff", "\x00\xff", ""}, "absent": nil,
	} {
		if got := translate.HeaderValues(h, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
