package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestAClientThatHasLeftIsNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		b.wantLookup(t, "x", "a", 0)
		if p, err := b.confirm(t.Context(), "x"); err != nil || p.Node != a.config.self.ID {
			t.Errorf("while it is connected: %+v, %v", p, err)
		}
		hub.setAvailable(false)
		if p, err := b.confirm(t.Context(), "x"); err != nil || p.Node != a.config.self.ID {
			t.Errorf("while the bus is away: %+v, %v", p, err)
		}
		hub.setAvailable(true)
		advance(time.Second)
		a.leave("x", "1")
		if _, err := b.confirm(t.Context(), "x"); rpc.CodeOf(err) != rpc.CodeNotFound {
			t.Errorf("after it has left: %v", err)
		}
		b.wantLookup(t, "x", "NOT_FOUND", 0) // the old answer is forgotten
		if _, err := b.confirm(t.Context(), ""); rpc.CodeOf(err) != rpc.CodeInvalidArgument {
			t.Errorf("a client without a name: %v", err)
		}
	})
}
