package cluster_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

var watchMethod = &rpc.Method{Service: "example.v1.NewsService", Name: "Watch", ServerStreams: true}

// newsService serves the topic "news". Its event has a position, which is the
// cursor of its clients. A struct stands for what would be a message of its own.
type newsService struct{ node *cluster.Node }

func (s newsService) topic() *cluster.Topic[*wrapperspb.StringValue] {
	return cluster.TopicOf[*wrapperspb.StringValue](s.node, "news", cluster.WithHistory(100, time.Hour))
}

func (s newsService) Watch(ctx context.Context, from *wrapperspb.StringValue, out rpc.Sender[structpb.Struct]) error {
	return s.topic().Serve(ctx, cluster.Position(from.Value), func(d cluster.Delivery[*wrapperspb.StringValue]) error {
		event, err := structpb.NewStruct(map[string]any{
			"text":     d.Message.GetValue(), // no message if there is only a gap
			"position": string(d.Position),
			"missing":  d.Gap.Missing(),
		})
		if err != nil {
			return err
		}
		return out.Send(event)
	})
}

// startNode returns a node at a bus.
func startNode(bus cluster.Bus) *cluster.Node {
	node, err := cluster.New(cluster.Config{Bus: bus, Credentials: cluster.Credentials{Secret: "known to all nodes"}})
	if err != nil {
		panic(err)
	}
	return node
}

// serveNews serves the news on a node of its own.
func serveNews(bus cluster.Bus) (srv *rpc.Server, url string, stop func()) {
	node := startNode(bus)
	srv = rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	srv.Register(&rpc.Service{Name: watchMethod.Service, Methods: []rpc.ServiceMethod{
		{Method: watchMethod, Handler: rpc.ServerStreamHandler(newsService{node}.Watch)},
	}})
	web := httptest.NewServer(srv)
	return srv, "ws" + strings.TrimPrefix(web.URL, "http"), func() {
		_ = srv.Close()
		web.Close()
		node.Close()
	}
}

// A client misses nothing when its server goes away: each event has a position,
// from which the next call continues on another node.
func ExampleTopic_Serve() {
	ctx, bus := context.Background(), cluster.NewMemoryBus()
	first, url, stop := serveNews(bus)
	defer stop()
	_, other, stopOther := serveNews(bus)
	defer stopOther()
	client := rpc.NewClient(url, rpc.WithURLs(other))
	defer client.Close()

	publisher := startNode(bus)
	defer publisher.Close()
	news := newsService{publisher}.topic()
	publish := func(text string) {
		if err := news.Publish(ctx, wrapperspb.String(text)); err != nil {
			fmt.Println(err)
		}
	}
	publish("one")
	publish("two")

	events := rpc.Follow(ctx, string(cluster.Oldest),
		func(ctx context.Context, from string) (rpc.Receiver[structpb.Struct], error) {
			return rpc.CallServerStream[wrapperspb.StringValue, structpb.Struct](ctx, client, watchMethod, wrapperspb.String(from))
		},
		func(e *structpb.Struct) string { return e.Fields["position"].GetStringValue() })
	for event, err := range events {
		if err != nil {
			fmt.Println(err)
			return
		}
		text := event.Fields["text"].GetStringValue()
		fmt.Println(text, event.Fields["missing"].GetBoolValue())
		switch text {
		case "two":
			_ = first.Shutdown(ctx) // a deploy: Serve ends with rpc.RetryLater
			publish("three")
		case "three":
			return
		}
	}
	// Output:
	// one false
	// two false
	// three false
}
