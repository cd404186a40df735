package otelparley_test

import (
	"testing"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/protobuf/proto"

	otelparley "github.com/parley-rpc/parley/ext/otel"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
)

func TestMessagesOfEachKindOfCallAreMeasuredAtBothEnds(t *testing.T) {
	for m, make := range kinds {
		t.Run(m.Name, func(t *testing.T) {
			l := newLab(t, setup{options: []otelparley.Option{otelparley.WithMessageSizes(), otelparley.WithMessageEvents()}})
			if err := make(t.Context(), l.ping); err != nil {
				t.Fatal(err)
			}
			client, server := l.pair()
			count := map[bool]int64{true: 2, false: 1}
			requests, responses := count[m.ClientStreams], count[m.ServerStreams]
			for _, end := range []string{"rpc.client.", "rpc.server."} {
				for name, want := range map[string]int64{"requests_per_rpc": requests, "responses_per_rpc": responses} {
					if h := histogram[int64](l, end+name, system, semconv.RPCMethod(m.Path())); h.Count != 1 || h.Sum != want {
						t.Errorf("%s%s: %d in %d calls, want %d", end, name, h.Sum, h.Count, want)
					}
				}
				for name, want := range map[string]int64{"request.size": requests, "response.size": responses} {
					if h := histogram[int64](l, end+name, system, semconv.RPCMethod(m.Path())); int64(h.Count) != want {
						t.Errorf("%s%s: %d messages, want %d", end, name, h.Count, want)
					}
				}
			}
			if got := len(client.Events()); int64(got) != requests+responses {
				t.Errorf("the client's span has %d events", got)
			}
			if got := len(server.Events()); int64(got) != requests+responses {
				t.Errorf("the server's span has %d events", got)
			}
		})
	}
}

func TestSizesAreThoseOfTheEncoding(t *testing.T) {
	l := newLab(t, setup{options: []otelparley.Option{otelparley.WithMessageSizes()}})
	req := &pingv1.PingRequest{Text: "some text", DelayMs: 1}
	res, err := l.ping.Ping(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	l.pair()
	method := semconv.RPCMethod(pingv1parley.PingServicePingMethod.Path())
	for name, want := range map[string]proto.Message{
		"rpc.client.request.size": req, "rpc.server.request.size": req,
		"rpc.client.response.size": res, "rpc.server.response.size": res,
	} {
		if h := histogram[int64](l, name, system, method); h.Sum != int64(proto.Size(want)) {
			t.Errorf("%s is %d, want %d", name, h.Sum, proto.Size(want))
		}
	}
}

func TestMessagesAreNotObservedUnlessThatIsWanted(t *testing.T) {
	l := newLab(t, setup{})
	if _, err := l.ping.Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
		t.Fatal(err)
	}
	client, _ := l.pair()
	if len(client.Events()) != 0 {
		t.Errorf("events: %v", client.Events())
	}
	if _, there := l.collect()["rpc.client.request.size"]; there {
		t.Error("sizes are measured")
	}
}
