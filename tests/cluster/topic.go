package main

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
	clusterv1 "github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1"
	"github.com/parley-rpc/parley/tests/internal/notes"
)

// The topics. news is ephemeral, record has history.
const (
	news   = "news"
	record = "record"
)

type item = clusterv1.Item

func topicOf(node *cluster.Node, name string) *cluster.Topic[*item] {
	if name == record {
		return cluster.TopicOf[*item](node, name, cluster.WithHistory(1_000_000, time.Hour))
	}
	return cluster.TopicOf[*item](node, name)
}

// topicService serves the topics to clients.
type topicService struct{ node *cluster.Node }

func (s topicService) Follow(ctx context.Context, req *clusterv1.FollowRequest, out rpc.Sender[clusterv1.FollowResponse]) error {
	return topicOf(s.node, req.Topic).Serve(ctx, cluster.Position(req.Position), func(d cluster.Delivery[*item]) error {
		err := out.Send(&clusterv1.FollowResponse{
			Position: string(d.Position), Item: d.Message, Missing: d.Gap.Count, MissingUnknown: d.Gap.Unknown,
		})
		if err != nil || time.Now().UnixMilli() >= req.SlowUntilMs {
			return err
		}
		return notes.Pause(ctx, time.Duration(req.PaceMs)*time.Millisecond)
	})
}

// published says what a process has published to a topic: all numbers below
// Next, but perhaps not those of Maybe.
type published struct {
	Process uint32
	Next    uint64
	Maybe   []uint64
}

// publisher publishes numbered items to a topic.
type publisher struct {
	name    string
	topic   *cluster.Topic[*item]
	process uint32
	began   time.Time

	mu   sync.Mutex
	sent published
}

// publishTimeout bounds how long one item may take.
const publishTimeout = 5 * time.Second

// run publishes until stop is closed.
func (p *publisher) run(every time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.publish()
		case <-stop:
			return
		}
	}
}

// publish publishes the next item. A number that was perhaps not published is
// not used again.
func (p *publisher) publish() {
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	p.mu.Lock()
	number := p.sent.Next
	p.mu.Unlock()
	it := &item{Publisher: p.process, Number: number, BeganMs: p.began.UnixMilli()}
	if number%16 == 15 {
		it.Filling = make([]byte, 4<<10)
	}
	err := p.topic.Publish(ctx, it)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.Next++
	if err != nil {
		p.sent.Maybe = append(p.sent.Maybe, number)
	}
}

func (p *publisher) report() published {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	sent.Process = p.process
	return sent
}
