// Package hub is the server's side of the reverse example. It keeps the
// connections of devices, and calls them on request.
package hub

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// NameHeader is the header of the handshake with the device's name. The example
// trusts it; a real hub would take the name from a client certificate or a
// token.
const NameHeader = "Agent-Name"

const (
	describeTimeout  = 5 * time.Second // a device that takes longer is listed as silent
	reconnectTimeout = 2 * time.Second // wait for a device that is reconnecting
)

// Hub is a HubServiceServer. NewServer tells it of connections that start and
// end.
type Hub struct {
	agentv1parley.UnimplementedHubServiceServer

	mu      sync.Mutex
	agents  map[string]*rpc.Conn
	changed chan struct{} // closed when an agent connects, and then replaced
}

// NewServer returns a server of a new Hub.
func NewServer() *rpc.Server {
	h := &Hub{agents: make(map[string]*rpc.Conn), changed: make(chan struct{})}
	srv := rpc.NewServer(rpc.OnConnect(h.connected), rpc.OnDisconnect(h.disconnected))
	agentv1parley.RegisterHubServiceServer(srv, h)
	return srv
}

//snippet:keep
func (h *Hub) connected(conn *rpc.Conn) {
	name := conn.Peer().Header.Get(NameHeader)
	if name == "" {
		return // not a device
	}
	h.mu.Lock()
	old := h.agents[name]
	h.agents[name] = conn
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	if old != nil {
		_ = old.Close() // the device is back before its old connection was missed
	}
}

func (h *Hub) disconnected(conn *rpc.Conn, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name := conn.Peer().Header.Get(NameHeader); h.agents[name] == conn {
		delete(h.agents, name)
	}
}

//snippet:end

// ListAgents asks all devices at the same time for their descriptions.
func (h *Hub) ListAgents(ctx context.Context, _ *agentv1.ListAgentsRequest) (*agentv1.ListAgentsResponse, error) {
	h.mu.Lock()
	conns := maps.Clone(h.agents)
	h.mu.Unlock()

	res := new(agentv1.ListAgentsResponse)
	var asked sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(conns)) {
		agent := &agentv1.Agent{Name: name}
		res.Agents = append(res.Agents, agent)
		asked.Go(func() { describe(ctx, conns[name], agent) })
	}
	asked.Wait()
	return res, nil
}

// describe calls the device that is the peer of conn.
func describe(ctx context.Context, conn *rpc.Conn, agent *agentv1.Agent) {
	client := agentv1parley.NewAgentServiceClient(conn)
	said, err := client.Describe(ctx, &agentv1.DescribeRequest{}, rpc.WithTimeout(describeTimeout))
	if err != nil {
		agent.Problem = err.Error()
		return
	}
	agent.Description = said
}

// WatchAgent forwards the readings of a device. When the caller ends the call,
// ctx ends, and with it the call to the device.
func (h *Hub) WatchAgent(ctx context.Context, req *agentv1.WatchAgentRequest, out rpc.Sender[agentv1.WatchAgentResponse]) error {
	conn, err := h.find(ctx, req.Name)
	if err != nil {
		return err
	}
	//snippet:relay
	readings, err := agentv1parley.NewAgentServiceClient(conn).Watch(ctx, req.GetWatch())
	if err != nil {
		return err
	}
	for r, err := range readings.All() {
		if err != nil {
			return err
		}
		if err := out.Send(&agentv1.WatchAgentResponse{Reading: r.Reading}); err != nil {
			return err
		}
	}
	return nil
	//snippet:end
}

// find returns the connection of a device, and waits a moment if the device is
// not connected.
func (h *Hub) find(ctx context.Context, name string) (*rpc.Conn, error) {
	late := time.After(reconnectTimeout)
	for {
		h.mu.Lock()
		conn, changed := h.agents[name], h.changed
		h.mu.Unlock()
		if conn != nil {
			return conn, nil
		}
		select {
		case <-changed:
		case <-late:
			return nil, rpc.Errorf(rpc.CodeNotFound, "no agent %q is connected", name)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
