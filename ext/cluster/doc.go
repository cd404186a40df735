// Package cluster makes several servers one. A client may land on any of them,
// behind any balancer, without stickiness: its session resumes wherever its link
// comes back. Every server can call it, and what is published to a topic reaches
// the subscribers on all servers (docs/cluster.md).
//
//	node, err := cluster.New(cluster.Config{
//		Bus:         bus,                            // nil: this process alone
//		Advertise:   "wss://10.0.0.7:7443/node",     // where other nodes reach NodeHandler
//		Credentials: cluster.Credentials{Secret: secret, TLS: config},
//	})
//	srv := rpc.NewServer(node.ServerOptions()...)
//	http.Handle("/rpc", node.Handler(srv))
//
// # Clients
//
// The directory has the connections whose client Config.Identify names. Lookup
// finds one, Watch tells what happens to all, and Client returns a Caller of
// one, wherever it is connected. Clients lists all, and CallAll calls some; a
// node or a client that does not answer is an error in the sequence.
//
// # Topics
//
// TopicOf returns a topic. An ephemeral one reaches those that are subscribed;
// one with history (WithHistory) also those that return. Whatever a subscriber
// misses is told to it as a Gap.
//
// # Nodes
//
// A Bus carries heartbeats, the directory and topics. Calls and relayed links
// go over WebSockets between the nodes, made when they are needed. A node that
// is silent for 1.5 s is gone: its clients are not found, and links that ask for
// its sessions are told at once that they are lost.
//
// The principal, its expiry, addresses, headers and certificates of a client
// pass with a relayed link. Other values in the context that an
// rpc.Authenticator has returned do not: handlers keep those of the link that
// began the session.
//
// # Health
//
// A node that has lost its bus or the others still serves its own clients.
// ReportHealth sets the status of the service "cluster" then, and leaves that of
// the server as it is. Stats has the figures to watch.
//
// # Goroutines
//
// A Node has no goroutine of its own while it is idle, unless a topic with
// history has subscribers. It has one for each node to which it has connected.
// A relayed link has two at the node
// that accepted it.
package cluster
