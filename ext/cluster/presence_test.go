package cluster

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

func TestBadMessagesAboutClientsAreRefused(t *testing.T) {
	id := []byte("12345678")
	for _, m := range []*clusterv1.ClientMessage{
		{Client: "x"},
		{Client: "x", Node: make([]byte, 8)},
		{Client: "", Node: id},
		{Client: strings.Repeat("x", 1025), Node: id},
		{Client: strings.Repeat("x", 5000), Node: id},
		{Client: "x", Node: id, Order: maxOrder + 1},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseClientMessage(data); err == nil {
			t.Errorf("%.100v is accepted", m)
		}
	}
}

func TestBadAnswersToLookupsAreRefused(t *testing.T) {
	good := func() *clusterv1.Presence {
		return &clusterv1.Presence{Client: "x", Node: []byte("12345678"), Session: "1"}
	}
	for name, spoil := range map[string]func(*clusterv1.Presence){
		"another client": func(p *clusterv1.Presence) { p.Client = "y" },
		"no node":        func(p *clusterv1.Presence) { p.Node = nil },
		"long session":   func(p *clusterv1.Presence) { p.Session = strings.Repeat("x", 257) },
		"long name":      func(p *clusterv1.Presence) { p.NodeName = strings.Repeat("x", 256) },
		"much metadata":  func(p *clusterv1.Presence) { p.Meta = map[string]string{"k": strings.Repeat("x", 1024)} },
		"order":          func(p *clusterv1.Presence) { p.Order = maxOrder + 1 },
	} {
		bad := good()
		spoil(bad)
		data, err := proto.Marshal(&clusterv1.ClientResponse{Presences: []*clusterv1.Presence{good(), bad}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsePresences(data, "x"); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzPresences(f *testing.F) {
	data, err := marshalPresences([]Presence{{Client: "x", Node: NodeID{1}, NodeName: "a", Since: time.UnixMicro(5), Meta: map[string]string{"k": "v"}, session: "1", order: 7}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parsePresences(data, "x")
		if err != nil {
			return
		}
		again, err := marshalPresences(all)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsePresences(again, "x"); err != nil || len(got) != len(all) {
			t.Errorf("%+v became %+v, %v", all, got, err)
		}
	})
}

func FuzzClientMessage(f *testing.F) {
	data, err := clientMessage{kind: 2, client: "x", node: NodeID{1}, order: 7}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseClientMessage(data)
		if err != nil {
			return
		}
		again, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseClientMessage(again); err != nil || got != m {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	})
}
