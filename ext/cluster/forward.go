package cluster

import "github.com/parley-rpc/parley/rpc"

// A call to a client of another node is made on the connection to that node,
// with the client's name in the metadata. That node makes the same call on the
// client's connection, and passes bytes both ways.
const clientKey = "cluster-client-bin" // the client's name; only nodes set it

// ownHeader removes what the other node has added to the caller's metadata.
var ownHeader = rpc.WithoutMetadata(clientKey)
