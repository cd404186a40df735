package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/tests/internal/child"
	"github.com/parley-rpc/parley/tests/internal/notes"
)

// nodeVariable is the environment variable with the nodeConfig of a Node.js
// process, in JSON.
const nodeVariable = "PARLEY_DEPLOY_CLIENT"

// nodeConfig is the configuration of web/deploy.
type nodeConfig struct {
	URLs     []string
	Balancer string // as in the options of a connection
	Process  int
	Conns    int
	PaceMS   int64
	Count    uint64
}

// nodes are the client processes of an arrangement that run in Node.js.
type nodes struct{ procs []*child.Process }

// firstNode is the number of the first of these processes.
const firstNode = 1000

// build bundles the program of the Node.js clients and returns its path.
func (s *settings) build() (string, error) {
	program := filepath.Join(s.root, "web/deploy/dist/main.js")
	cmd := exec.Command(filepath.Join(s.root, "web/node_modules/.bin/esbuild"), "deploy/src/main.ts", "--bundle", "--platform=node",
		"--format=esm", "--packages=external", "--alias:@parley-rpc/client=./client/src/index.ts", "--outfile="+program, "--log-level=error")
	cmd.Dir = filepath.Join(s.root, "web")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build web/deploy: %w: %s", err, said)
	}
	return program, nil
}

// spawn starts the processes. Each of them is connected when this returns.
func (s *settings) spawn(a *arrangement, urls []string) (*nodes, error) {
	n := new(nodes)
	for i := range s.nodes {
		config, err := json.Marshal(nodeConfig{
			URLs:     urls,
			Balancer: a.nodeBalancer(),
			Process:  firstNode + i,
			Conns:    s.conns,
			PaceMS:   s.pace.Milliseconds(),
			Count:    s.count,
		})
		if err != nil {
			n.close()
			return nil, err
		}
		p, err := child.Run(exec.Command("node", s.program), nodeVariable, string(config))
		if err != nil {
			n.close()
			return nil, err
		}
		n.procs = append(n.procs, p)
	}
	return n, nil
}

// finish ends the processes and returns their counts.
func (n *nodes) finish() (*notes.Report, error) {
	sum := new(notes.Report)
	var errs []error
	for i, p := range n.procs {
		hung := time.AfterFunc(notes.CallTimeout+30*time.Second, p.Abort)
		errs = append(errs, read(sum, p.End(), fmt.Sprintf("Node.js process %d", i)))
		hung.Stop()
	}
	n.procs = nil
	return sum, errors.Join(errs...)
}

// close ends the processes if finish was not called.
func (n *nodes) close() {
	for _, p := range n.procs {
		p.Kill()
	}
}
