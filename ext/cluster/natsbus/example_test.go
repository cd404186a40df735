package natsbus_test

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
)

// A node of a cluster that is joined by NATS.
func ExampleNew() {
	//snippet:nats
	nc, err := nats.Connect("nats://10.0.0.5:4222",
		nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()

	node, err := cluster.New(cluster.Config{
		Bus:         natsbus.New(nc),
		Advertise:   "wss://10.0.0.7:7443/node",
		Credentials: cluster.Credentials{Secret: "from the environment"},
	})
	//snippet:end
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()
}
