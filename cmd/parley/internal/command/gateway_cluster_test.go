package command_test

import (
	"os"
	"path/filepath"
	"testing"
)

const clusterSecret = "a secret of all gateways"

func TestGatewayRefusesHalfACluster(t *testing.T) {
	short := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says   string
		secret string
		flags  []string
	}{
		{"go with --nats", clusterSecret, []string{"--cluster-listen", "127.0.0.1:0"}},
		{"go with --nats", clusterSecret, []string{"--cluster-name", "mine"}},
		{"--cluster-listen is missing", clusterSecret, []string{"--nats", "nats://127.0.0.1:1"}},
		{"write an address and a port", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "here"}},
		{"--cluster-advertise is missing", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", ":0"}},
		{"--cluster-advertise is missing", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "0.0.0.0:0"}},
		{"secret of the cluster is missing: set PARLEY_CLUSTER_SECRET", "", []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0"}},
		{"at least 16", "short", []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0"}},
		{"has 5 bytes", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0", "--cluster-secret-file", short}},
		{"--cluster-secret-file: open", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0", "--cluster-secret-file", short + "x"}},
		{"set PARLEY_NATS", clusterSecret, []string{"--nats", "nats://me:password@127.0.0.1:1", "--cluster-listen", "127.0.0.1:0"}},
		{"--cluster-name a b", clusterSecret, []string{"--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:0", "--cluster-name", "a b"}},
	} {
		t.Setenv("PARLEY_CLUSTER_SECRET", c.secret)
		run(t, append([]string{"gateway", "--backend", "localhost:1", "--listen", "127.0.0.1:0"}, c.flags...)...).wantFailure(t, 2, c.says)
	}
}

func TestGatewayThatCannotReachNATSSaysSo(t *testing.T) {
	t.Setenv("PARLEY_CLUSTER_SECRET", clusterSecret)
	flags := []string{"gateway", "--backend", "localhost:1", "--listen", "127.0.0.1:0", "--cluster-listen", "127.0.0.1:0"}
	run(t, append(flags, "--nats", "nats://127.0.0.1:1")...).wantFailure(t, 3, "--nats: nats: no servers available")
	t.Setenv("PARLEY_NATS", "nats://127.0.0.1:1")
	run(t, flags...).wantFailure(t, 3, "--nats: nats: no servers available")
}
