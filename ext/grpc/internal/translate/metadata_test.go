package translate_test

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

func TestKeysOfTheProtocolsDoNotPass(t *testing.T) {
	md := metadata.Pairs("key", "1", "key", "2", "raw-bin", "\x00\xff",
		":authority", "x", "content-type", "x", "te", "x", "grpc-timeout", "1S", "grpc-status-details-bin", "x")
	want := rpc.Metadata{"key": {"1", "2"}, "raw-bin": {"\x00\xff"}}
	got := rpc.Metadata{}
	err := translate.Set(md, func(key string, values ...string) error {
		got.Append(key, values...)
		return nil
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got := translate.ToMD(rpc.Metadata(md)); !reflect.DeepEqual(got, metadata.MD(want)) {
		t.Errorf("got %v", got)
	}
}

func TestSetStopsAtTheFirstError(t *testing.T) {
	refused := errors.New("refused")
	err := translate.Set(metadata.Pairs("key", "1"), func(string, ...string) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}
