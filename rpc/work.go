package rpc

import (
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// work counts the calls on a connection, both ways, so that one that is not used
// for new ones is closed when the last is over.
type work struct {
	calls   atomic.Int64
	retired atomic.Bool
	closing atomic.Bool
}

func (w *work) begin() { w.calls.Add(1) }

// done tells whether it is time to close the connection.
func (w *work) done() bool { return w.calls.Add(-1) == 0 && w.over() }

// retire says that there is no further work, and tells what done tells.
func (w *work) retire() bool {
	w.retired.Store(true)
	return w.over()
}

func (w *work) over() bool {
	return w.retired.Load() && w.calls.Load() == 0 && w.closing.CompareAndSwap(false, true)
}

// workDone ends a call on the connection.
func (c *Conn) workDone() {
	if c.work.done() {
		c.closeRetired()
	}
}

// retire has the connection closed when its calls are over.
func (c *Conn) retire() {
	if c.work.retire() {
		c.closeRetired()
	}
}

func (c *Conn) closeRetired() {
	c.e.workers.do(func() {
		<-c.started
		_ = c.sess.Close(transport.CloseNormal, "drained")
		c.e.remove(c)
	})
}

// onGoAway stops making new calls on a connection that the server drains.
func (c *Conn) onGoAway(*transport.Session) {
	c.e.workers.do(func() {
		<-c.started
		c.line.changed(c)
	})
}
