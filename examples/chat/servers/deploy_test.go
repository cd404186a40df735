package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"

	chatserver "github.com/parley-rpc/parley/examples/chat/server"
)

// afterGrace is how long a server may take to end once its members had to move.
const afterGrace = 5 * time.Second

// object is what the tests read of an object of Kubernetes.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		ClusterIP   string `yaml:"clusterIP"`
		ServiceName string `yaml:"serviceName"`
		Ports       []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Spec struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				Containers                    []container
			}
		}
	}
}

type container struct {
	Args []string
	Env  []struct {
		Name      string
		ValueFrom struct {
			FieldRef struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	ReadinessProbe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	} `yaml:"readinessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
}

// port returns the number of a port.
func (c *container) port(name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// manifest returns the objects of the manifest by kind and name.
func manifest(t *testing.T) map[string]*object {
	t.Helper()
	file, err := os.Open("deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	objects := make(map[string]*object)
	for all := yaml.NewDecoder(file); ; {
		var o object
		if err := all.Decode(&o); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind+"/"+o.Metadata.Name] = &o
	}
}

func TestManifestStartsServersAsTheyAre(t *testing.T) {
	objects := manifest(t)
	pod := objects["Deployment/chat"].Spec.Template.Spec
	c := &pod.Containers[0]
	env := make(map[string]string)
	for _, e := range c.Env {
		env[e.Name] = e.ValueFrom.FieldRef.FieldPath + e.ValueFrom.SecretKeyRef.Key
	}
	if env["POD_IP"] != "status.podIP" || env["POD_NAME"] != "metadata.name" || env[secretVariable] != "secret" {
		t.Errorf("the environment is %v", env)
	}
	args := slices.Clone(c.Args)
	for i := range args {
		args[i] = strings.NewReplacer("$(POD_IP)", "10.1.2.3", "$(POD_NAME)", "chat-1").Replace(args[i])
	}
	if args[0] != "node" {
		t.Fatalf("the command is %q", args[0])
	}
	f, err := parseNode(args[1:], io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{"http": f.addr, "node": f.nodeAddr, "health": f.health} {
		if want := ":" + strconv.Itoa(c.port(name)); addr != want {
			t.Errorf("port %s is %s, and the flag says %s", name, want, addr)
		}
	}
	if want := "ws://10.1.2.3" + f.nodeAddr + chatserver.NodePath; f.advertise != want {
		t.Errorf("advertises %s, want %s", f.advertise, want)
	}
	if probe := c.ReadinessProbe.HTTPGet; probe.Path != chatserver.HealthPath || probe.Port != "health" {
		t.Errorf("the probe is %v", probe)
	}
	needed := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + f.grace + afterGrace
	if given := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second; given < needed {
		t.Errorf("a pod has %v to end, and needs %v", given, needed)
	}
	if members := objects["Service/chat"].Spec.Ports[0]; c.port(members.TargetPort) == 0 || objects["Service/chat-nodes"].Spec.ClusterIP != "None" {
		t.Errorf("the services are %v and %v", objects["Service/chat"], objects["Service/chat-nodes"])
	}
}

func TestNodeNeedsAnAddressThatOthersCanDial(t *testing.T) {
	if _, err := parseNode([]string{"-node-addr", ":7443"}, io.Discard); err == nil || !strings.Contains(err.Error(), "set -advertise") {
		t.Errorf("error %v", err)
	}
}

func TestManifestStartsNATSWithJetStream(t *testing.T) {
	objects := manifest(t)
	set := objects["StatefulSet/nats"].Spec
	c := set.Template.Spec.Containers[0]
	none := func() {}
	options, err := natsserver.ConfigureOptions(flag.NewFlagSet("nats-server", flag.ContinueOnError), c.Args, none, none, none)
	if err != nil || !options.JetStream || options.StoreDir != "/data" {
		t.Fatalf("the options are %+v, error %v", options, err)
	}
	service := objects["Service/"+set.ServiceName].Spec
	if service.ClusterIP != "None" || service.Ports[0].Port != c.port("client") || c.port("client") != natsserver.DEFAULT_PORT {
		t.Errorf("the service is %v", service)
	}
}

func TestUnitStartsServersAsTheyAre(t *testing.T) {
	text, err := os.ReadFile("deploy/chat@.service")
	if err != nil {
		t.Fatal(err)
	}
	setting := func(name string) string {
		found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(string(text))
		if found == nil {
			t.Fatalf("the unit has no %s", name)
		}
		return found[1]
	}
	args := strings.Fields(strings.NewReplacer("%i", "1", "%H", "host").Replace(setting("ExecStart")))
	if args[1] != "node" {
		t.Fatalf("the command is %q", args)
	}
	f, err := parseNode(args[2:], io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{f.addr, f.nodeAddr, f.health} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			t.Error(err)
		}
	}
	seconds, err := strconv.Atoi(setting("TimeoutStopSec"))
	if given := time.Duration(seconds) * time.Second; err != nil || given < f.grace+afterGrace {
		t.Errorf("a server has %v to end, and needs %v: %v", given, f.grace+afterGrace, err)
	}
}
