package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/parley-rpc/parley/examples/reverse/hub"
	"github.com/parley-rpc/parley/ext/cluster"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

const describeTimeout = 5 * time.Second // a device that takes longer is listed as silent

// nameOf names the device of a connection, for the directory.
func nameOf(c *rpc.Conn) (name string, ok bool) {
	name = c.Peer().Header.Get(hub.NameHeader)
	return name, name != "" // else it is an operator
}

// clusterHub is a HubServiceServer. It keeps no connections: the node knows
// those of all hubs.
type clusterHub struct {
	agentv1parley.UnimplementedHubServiceServer
	node *cluster.Node
}

// ListAgents asks the devices of all hubs at the same time for their
// descriptions.
func (h *clusterHub) ListAgents(ctx context.Context, _ *agentv1.ListAgentsRequest) (*agentv1.ListAgentsResponse, error) {
	//snippet:list
	var names []string
	for presence, err := range h.node.Clients(ctx) {
		if err != nil {
			return nil, err // or list those that are known, as partial
		}
		names = append(names, presence.Client)
	}
	res := new(agentv1.ListAgentsResponse)
	method, req, limit := agentv1parley.AgentServiceDescribeMethod, &agentv1.DescribeRequest{}, rpc.WithTimeout(describeTimeout)
	ask := cluster.CallAll[agentv1.DescribeRequest, agentv1.DescribeResponse]
	for name, answer := range ask(ctx, h.node, names, method, req, limit) {
		agent := &agentv1.Agent{Name: name, Description: answer.Response}
		if answer.Err != nil {
			agent.Problem = answer.Err.Error()
		}
		res.Agents = append(res.Agents, agent)
	}
	//snippet:end
	slices.SortFunc(res.Agents, func(a, b *agentv1.Agent) int { return cmp.Compare(a.Name, b.Name) })
	return res, nil
}

// WatchAgent forwards the readings of a device, whichever hub it is connected
// to.
func (h *clusterHub) WatchAgent(ctx context.Context, req *agentv1.WatchAgentRequest, out rpc.Sender[agentv1.WatchAgentResponse]) error {
	//snippet:watch
	device := agentv1parley.NewAgentServiceClient(h.node.Client(req.Name))
	readings, err := device.Watch(ctx, req.GetWatch())
	//snippet:end
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
}
