package parleyconnect

import (
	"net/http"
	"sync"
	"time"
)

// lastWrites is how long writes of a response may take once its call has ended.
// It lets the status reach a client that reads.
const lastWrites = time.Second

// writeBound ends the writes of a response whose client does not read it.
type writeBound struct {
	response *http.ResponseController

	mu    sync.Mutex
	begun bool
	over  bool // the response is complete: another one may be on the connection
}

// begin bounds the writes that wait, and later ones, once.
func (b *writeBound) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begun || b.over {
		return
	}
	b.begun = true
	_ = b.response.SetWriteDeadline(time.Now().Add(lastWrites)) // an error means that the client has left
}

// end keeps later calls of begin from another response.
func (b *writeBound) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
