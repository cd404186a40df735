package cluster

import (
	"strings"
	"testing"
	"time"
)

func TestMessagesOfLaterNodesAreRead(t *testing.T) {
	m := nodeMessage{nodeInfo: nodeInfo{ID: newNodeID(), Name: "a"}, kind: 99, interval: time.Second}
	data, err := m.marshal()
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, 0xfa, 0x07, 1, 'x') // field 127
	if got, err := parseNodeMessage(data); err != nil || got != m {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBadMessagesOfNodesAreRefused(t *testing.T) {
	id := newNodeID()
	for _, m := range []nodeMessage{
		{},
		{nodeInfo: nodeInfo{ID: id, Name: strings.Repeat("x", 256)}},
		{nodeInfo: nodeInfo{ID: id, URL: strings.Repeat("x", 2049)}},
		{nodeInfo: nodeInfo{ID: id, URL: strings.Repeat("x", 5000)}},
	} {
		data, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseNodeMessage(data); err == nil {
			t.Errorf("%.100v is accepted", m)
		}
	}
}

func FuzzNodeMessage(f *testing.F) {
	m := nodeMessage{nodeInfo: nodeInfo{ID: NodeID{1}, Name: "a", URL: "b", Draining: true}, kind: 1, interval: time.Second, nextEvent: 7}
	data, err := m.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseNodeMessage(data)
		if err != nil {
			return
		}
		again, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseNodeMessage(again); err != nil || got != m {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	})
}
