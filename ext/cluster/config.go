package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parley-rpc/parley/rpc"
)

// Config configures a Node. The zero value is a cluster of one process.
type Config struct {
	// Bus connects the nodes. All nodes need the same one, such as that of
	// package natsbus. Nil: this process alone.
	Bus Bus
	// Prefix begins the subjects on the bus, so that several clusters can share
	// one. Default "parley".
	Prefix string
	// Name is for people: in logs, and in Presence.NodeName. Default: the
	// node's random id.
	Name string
	// Advertise is the URL at which the other nodes reach Node.NodeHandler, such
	// as "wss://10.0.0.7:7443/node". Without it, a node can reach the clients of
	// others, but no other node can reach its clients.
	Advertise string
	// Credentials are how nodes know each other. They are required with a Bus.
	Credentials Credentials
	// Identify names the client of a connection. A connection for which ok is
	// false is not in the directory. Default: the authenticated principal.
	Identify func(c *rpc.Conn) (client string, ok bool)
	// Several says what happens if a client is connected more than once.
	// Default Newest.
	Several Several
	// MaxRelays is how many links this node passes on to the owners of their
	// sessions at once. Default 10,000.
	MaxRelays int
	// Logger gets the messages of the node. Default slog.Default.
	Logger *slog.Logger
}

// withDefaults fills in defaults, and returns an error that names the first
// invalid field.
func (c *Config) withDefaults(id NodeID) error {
	c.Prefix = cmp.Or(c.Prefix, "parley")
	c.Name = cmp.Or(c.Name, id.String())
	c.MaxRelays = cmp.Or(c.MaxRelays, 10_000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Identify == nil {
		c.Identify = func(c *rpc.Conn) (string, bool) { return c.Principal(), c.Principal() != "" }
	}
	if c.MaxRelays < 0 {
		return fmt.Errorf("cluster: Config.MaxRelays is %d, must not be negative", c.MaxRelays)
	}
	if c.Bus == nil {
		if c.Advertise != "" {
			return errors.New("cluster: Config.Advertise is of no use without a Bus")
		}
		c.Bus = NewMemoryBus()
		return nil
	}
	return c.Credentials.validate()
}
