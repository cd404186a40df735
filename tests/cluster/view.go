package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/rpc"
	clusterv1 "github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1"
	"github.com/parley-rpc/parley/tests/cluster/gen/cluster/v1/clusterv1parley"
)

// view is what a server knows of the cluster.
type view struct {
	Node     string              // its id
	Sessions []string            // that it has, in hexadecimal digits
	Clients  map[string][]string // nodes of each client, as Node.Clients lists them
	Lookups  map[string]string   // node of each client that was asked for, as Node.Lookup finds it
	Errors   []string
}

// viewTimeout bounds a view, and an answer to a question.
const viewTimeout = 2 * time.Second

// view returns what the server knows, and looks some clients up.
func (s *server) view(clients []string) view {
	ctx, cancel := context.WithTimeout(context.Background(), viewTimeout)
	defer cancel()
	v := view{Node: s.node.ID().String(), Clients: make(map[string][]string), Lookups: make(map[string]string)}
	for _, c := range s.rpc.Conns() {
		v.Sessions = append(v.Sessions, hex.EncodeToString(c.SessionID()))
	}
	for p, err := range s.node.Clients(ctx) {
		if err != nil {
			v.Errors = append(v.Errors, err.Error())
			continue
		}
		v.Clients[p.Client] = append(v.Clients[p.Client], p.Node.String())
	}
	for _, name := range clients {
		p, err := s.node.Lookup(ctx, name)
		if err != nil {
			v.Lookups[name] = rpc.CodeOf(err).String()
			continue
		}
		v.Lookups[name] = p.Node.String()
	}
	return v
}

// answer is what a server finds when it asks for a client.
type answer struct {
	Lookup rpc.Code
	Call   rpc.Code
	Client string // that has answered
	Took   time.Duration
}

// ask looks a client up, and calls it.
func (s *server) ask(client string) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), viewTimeout)
	defer cancel()
	start := time.Now()
	_, err := s.node.Lookup(ctx, client)
	a.Lookup = rpc.CodeOf(err)
	res, err := clusterv1parley.NewClientServiceClient(s.node.Client(client)).Who(ctx, &clusterv1.WhoRequest{})
	a.Call, a.Client, a.Took = rpc.CodeOf(err), res.GetClient(), time.Since(start)
	return a
}

// truth is where clients are: the session of each, in hexadecimal digits.
type truth map[string]string

// differences says where a view is wrong. owner has the node of each session.
func (t truth) differences(v view, owner map[string]string) (all []string) {
	for client, session := range t {
		node := owner[session]
		switch {
		case node == "":
			all = append(all, fmt.Sprintf("no server has the session of %s", client))
		case !slices.Equal(v.Clients[client], []string{node}):
			all = append(all, fmt.Sprintf("%s is at %s, the list says %v", client, node, v.Clients[client]))
		case v.Lookups[client] != node:
			all = append(all, fmt.Sprintf("%s is at %s, the lookup says %s", client, node, v.Lookups[client]))
		}
	}
	for client := range v.Clients {
		if _, here := t[client]; !here {
			all = append(all, fmt.Sprintf("%s is not connected, the list says %v", client, v.Clients[client]))
		}
	}
	return append(all, v.Errors...)
}

// ghosts counts the entries of a view that are for no session of a client.
func (t truth) ghosts(v view, owner map[string]string) (n int) {
	for client, nodes := range v.Clients {
		for _, node := range nodes {
			if session := t[client]; session == "" || owner[session] != node {
				n++
			}
		}
	}
	for client, node := range v.Lookups {
		if t[client] == "" && node != rpc.CodeNotFound.String() {
			n++
		}
	}
	return n
}
