package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/rpc"
	clusterv1 "github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1"
	"github.com/parley-rpc/parley/tests/internal/notes"
)

func TestMain(m *testing.M) {
	if served, err := serveChild(os.Stdin, os.Stdout); served {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// response is what a follower gets of one publisher.
func response(number, missing uint64) *clusterv1.FollowResponse {
	return &clusterv1.FollowResponse{Item: &item{Publisher: 1, Number: number, BeganMs: 1000}, Missing: missing}
}

func TestFollowerFindsWhatIsMissingAndWasNotTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		came  []*clusterv1.FollowResponse
		topic string
		maybe []uint64
		want  topicCounts
	}{
		{"all", []*clusterv1.FollowResponse{response(0, 0), response(1, 0), response(2, 0)}, record, nil, topicCounts{items: 3}},
		{"one is hidden", []*clusterv1.FollowResponse{response(0, 0), response(2, 0)}, news, nil, topicCounts{items: 3, hidden: 1}},
		{"one is told", []*clusterv1.FollowResponse{response(0, 0), response(2, 1)}, news, nil, topicCounts{items: 3, told: 1}},
		{"one is told, two are missing", []*clusterv1.FollowResponse{response(0, 1)}, news, nil, topicCounts{items: 3, told: 1, hidden: 2}},
		{"the end is hidden", []*clusterv1.FollowResponse{response(0, 0), response(1, 0)}, news, nil, topicCounts{items: 3, hidden: 1}},
		{"one was perhaps not published", []*clusterv1.FollowResponse{response(0, 0), response(2, 0)}, record, []uint64{1}, topicCounts{items: 3}},
		{"one is lost", []*clusterv1.FollowResponse{response(0, 0), response(2, 1)}, record, nil, topicCounts{items: 3, told: 1, lost: 1}},
		{"one comes twice", []*clusterv1.FollowResponse{response(0, 0), response(1, 0), response(1, 0), response(2, 0)}, news, nil, topicCounts{items: 3, duplicated: 1}},
		{"two change places", []*clusterv1.FollowResponse{response(0, 0), response(2, 1), response(1, 0)}, news, nil, topicCounts{items: 3, told: 1, reordered: 1}},
	} {
		f := &follower{topic: c.topic, got: make(map[uint32]*series)}
		for _, r := range c.came {
			f.take(r)
		}
		var got topicCounts
		f.settle(&got, []published{{Process: 1, Next: 3, Maybe: c.maybe}})
		got.errs = nil
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestViewIsComparedWithTheTruth(t *testing.T) {
	clients, owner := truth{"c00": "session"}, map[string]string{"session": "node"}
	for _, c := range []struct {
		name          string
		clients       map[string][]string
		lookups       map[string]string
		wrong, ghosts int
	}{
		{"right", map[string][]string{"c00": {"node"}}, map[string]string{"c00": "node"}, 0, 0},
		{"not listed", nil, map[string]string{"c00": "node"}, 1, 0},
		{"listed twice", map[string][]string{"c00": {"node", "old"}}, map[string]string{"c00": "node"}, 1, 1},
		{"found elsewhere", map[string][]string{"c00": {"node"}}, map[string]string{"c00": "old"}, 1, 0},
		{"has left", map[string][]string{"c00": {"node"}, "c01": {"node"}}, map[string]string{"c00": "node", "c01": "node"}, 1, 2},
		{"has left, and is not found", map[string][]string{"c00": {"node"}}, map[string]string{"c00": "node", "c01": "NOT_FOUND"}, 0, 0},
	} {
		v := view{Clients: c.clients, Lookups: c.lookups}
		if got := clients.differences(v, owner); len(got) != c.wrong {
			t.Errorf("%s: %q", c.name, got)
		}
		if got := clients.ghosts(v, owner); got != c.ghosts {
			t.Errorf("%s: %d ghosts", c.name, got)
		}
	}
}

func TestOnlyCallsOfADeadNodeMayFail(t *testing.T) {
	from := time.UnixMilli(10_000)
	allowed := lostWith(map[string]bool{"c00": true}, from, from.Add(time.Second))
	for _, c := range []struct {
		name string
		err  notes.Error
		want bool
	}{
		{"of its client", notes.Error{Who: "c00", Code: rpc.CodeUnavailable, Began: 9_000, Ended: 10_500}, true},
		{"to its client", notes.Error{Who: "s1 to c00", Code: rpc.CodeUnavailable, Began: 9_000, Ended: 10_500}, true},
		{"to its client, which is not there again", notes.Error{Who: "s1 to c00", Code: rpc.CodeNotFound, Began: 10_400, Ended: 10_500}, true},
		{"not found before", notes.Error{Who: "s1 to c00", Code: rpc.CodeNotFound, Began: 9_000, Ended: 10_500}, false},
		{"of its client, with another code", notes.Error{Who: "c00", Code: rpc.CodeCanceled, Began: 9_000, Ended: 10_500}, false},
		{"of its client, too late", notes.Error{Who: "c00", Code: rpc.CodeUnavailable, Began: 9_000, Ended: 11_500}, false},
		{"of another client", notes.Error{Who: "c01", Code: rpc.CodeUnavailable, Began: 9_000, Ended: 10_500}, false},
	} {
		if got := allowed(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestBarsThatAreMissedAreNamed(t *testing.T) {
	good := func() *result {
		return &result{report: notes.Report{Counts: notes.Counts{Calls: 1}}, topics: topicCounts{items: 1}}
	}
	if missed := good().verdict(); len(missed) > 0 {
		t.Errorf("nothing is wrong: %q", missed)
	}
	for name, spoil := range map[string]func(*result){
		"a session is lost":      func(r *result) { r.lost = 1 },
		"a call failed":          func(r *result) { r.report.Errors = []notes.Error{{Who: "c00"}} },
		"a note is lost":         func(r *result) { r.report.Lost = 1 },
		"an item came twice":     func(r *result) { r.topics.duplicated = 1 },
		"an item came late":      func(r *result) { r.topics.reordered = 1 },
		"a ghost":                func(r *result) { r.ghosts = 1 },
		"a hidden gap":           func(r *result) { r.topics.hidden = 1 },
		"the directory is wrong": func(r *result) { r.right, r.settled = 2*time.Second, time.Second },
		"no gap is told":         func(r *result) { r.gaps = true },
		"nothing was called":     func(r *result) { r.report.Calls = 0 },
	} {
		r := good()
		if spoil(r); len(r.verdict()) != 1 {
			t.Errorf("%s: %q", name, r.verdict())
		}
	}
}

func TestSessionsAndCallsSurviveCutsOnAnyNode(t *testing.T) {
	s, err := parse([]string{"-short", "-cuts", "15", "-clients", "9"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.play(t.Context(), scenarios[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	if n := &r.report; r.lost > 0 || n.Calls == 0 || !n.Clean() || r.topics.hidden+r.topics.lost > 0 || r.topics.items == 0 || len(r.verdict()) > 0 {
		t.Errorf("%d calls, %d items, bars: %q", n.Calls, r.topics.items, r.verdict())
	}
}
