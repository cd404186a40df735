package grpcparley_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// newTalker returns a server of a talker.
func newTalker() *rpc.Server {
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), talker{})
	return srv
}

func TestNoCallOfAStubFailsWhileAServerShutsDown(t *testing.T) {
	for _, kind := range []string{"unary", "server stream", "client stream", "bidi"} {
		t.Run(kind, func(t *testing.T) {
			old, young := newTalker(), newTalker()
			defer young.Close()
			var front atomic.Pointer[rpc.Server] // a balancer
			front.Store(old)
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front.Load().ServeHTTP(w, r) }))
			defer web.Close()
			call := grpcCaller(connect(t, "ws"+strings.TrimPrefix(web.URL, "http")))
			if o := call(t.Context(), kind, []string{"before"}, nil); o.code != uint32(codes.OK) {
				t.Fatal(o)
			}
			front.Store(young)
			ended := make(chan error, 1)
			go func() { ended <- old.Shutdown(context.Background()) }()
			for over := 0; over < 20; {
				if o := call(t.Context(), kind, []string{"during"}, nil); o.code != uint32(codes.OK) {
					t.Fatal(o)
				}
				if len(ended) > 0 {
					over++
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
