package cluster

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// metaNode is a node whose connections set their metadata before they join and
// while they do so.
func metaNode(t *testing.T, before, during func(n *Node, c *rpc.Conn)) *testNode {
	t.Helper()
	var n *testNode
	n = startNode(t, NewMemoryBus(), "node", func(c *Config) {
		identify := func(c *rpc.Conn) (string, bool) { return c.Principal(), c.Principal() != "" }
		joins := false
		c.Identify = func(c *rpc.Conn) (string, bool) {
			if !joins {
				joins = true // OnConnect asks first; it goes on when before has returned
				before(n.Node, c)
			}
			return identify(c)
		}
	})
	changed := n.directory.config.changed
	n.directory.config.changed = func(e PresenceEvent) {
		changed(e)
		if e.Kind == PresenceJoined {
			n.Node.clients.mu.RLock()
			c := n.Node.clients.bySession[e.Presence.session]
			n.Node.clients.mu.RUnlock()
			during(n.Node, c)
		}
	}
	return n
}

func TestMetadataThatIsSetBeforeAConnectionJoinsIsKept(t *testing.T) {
	set := func(value string) func(*Node, *rpc.Conn) {
		return func(n *Node, c *rpc.Conn) {
			if err := n.SetMeta(c, map[string]string{"is": value}); err != nil {
				t.Error(err)
			}
		}
	}
	nothing := func(*Node, *rpc.Conn) {}
	for name, c := range map[string]struct {
		before, during func(*Node, *rpc.Conn)
		want           string
	}{
		"before":            {set("before"), nothing, "before"},
		"while it joins":    {nothing, set("during"), "during"},
		"the latest counts": {set("before"), set("during"), "during"},
	} {
		t.Run(name, func(t *testing.T) {
			n := metaNode(t, c.before, c.during)
			n.device(t, "d")
			eventually(t, func() bool {
				p, err := n.Lookup(t.Context(), "d")
				return err == nil && maps.Equal(p.Meta, map[string]string{"is": c.want})
			})
			conn := n.localConn("d")
			set("later")(n.Node, conn)
			if p, err := n.Lookup(t.Context(), "d"); err != nil || p.Meta["is"] != "later" {
				t.Errorf("%+v, %v", p, err)
			}
			if len(n.Node.clients.early) != 0 {
				t.Errorf("%d connections seem not to have joined", len(n.Node.clients.early))
			}
		})
	}
}

func TestMetadataOfWhatDoesNotJoinIsRefused(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[0].device(t, "d")
	conn := nodes[0].localConn("d")
	if err := nodes[1].SetMeta(conn, nil); !errors.Is(err, rpc.CodeNotFound) {
		t.Errorf("a connection of another node: %v", err)
	}
	if err := nodes[0].SetMeta(conn, map[string]string{"": strings.Repeat("x", 2<<10)}); !errors.Is(err, rpc.CodeInvalidArgument) && !errors.Is(err, rpc.CodeResourceExhausted) {
		t.Errorf("too much metadata: %v", err)
	}
	_ = conn.Close()
	eventually(t, func() bool { return nodes[0].localConn("d") != conn })
	if err := nodes[0].SetMeta(conn, nil); !errors.Is(err, rpc.CodeNotFound) {
		t.Errorf("a connection that has ended: %v", err)
	}
	for _, n := range nodes {
		if len(n.Node.clients.early) != 0 {
			t.Errorf("%s keeps metadata of %d connections", n.Name(), len(n.Node.clients.early))
		}
	}
}
