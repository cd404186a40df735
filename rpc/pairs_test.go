package rpc_test

import (
	"context"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestMorePairsThanCanTravelAreRefusedBeforeTheyAreSent(t *testing.T) {
	most := make([]string, 256)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
			for _, set := range []func(string, ...string) error{s.Call().SetHeader, s.Call().SetTrailer} {
				wantCode(t, set("k", most[1:]...), rpc.CodeOK)
				wantCode(t, set("l", "", ""), rpc.CodeResourceExhausted)
				wantCode(t, set("l", "the last"), rpc.CodeOK)
			}
			return echo(ctx, s)
		})
	})
	var header, trailer rpc.Metadata
	_, err := converse(t.Context(), p.client, unary, []string{""}, rpc.WithMetadata("k", most...), rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	if err != nil || len(header["k"])+len(trailer["k"]) != 510 || header.Get("l")+trailer.Get("l") != "the lastthe last" {
		t.Errorf("header %d pairs, trailer %d pairs, %v", len(header["k"]), len(trailer["k"]), err)
	}
	_, err = p.client.Open(t.Context(), unary, rpc.WithMetadata("k", most...), rpc.WithMetadata("l", "one more"))
	wantError(t, err, rpc.CodeResourceExhausted)
}
