package wan

import (
	"slices"

	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/target"
)

// Target is what is measured: a framework in Go, or a library in TypeScript
// with a server in Go.
type Target struct {
	Name      string
	Framework drive.Target // nil for TypeScript
	Runtime   string       // of TypeScript: node or chromium
	Library   string       // of TypeScript, as web/speed names it
}

const (
	node     = "node"
	chromium = "chromium"
	subject  = "parley"
)

// Targets returns all targets, in the order in which they are measured.
func Targets() []*Target {
	var all []*Target
	for _, t := range []drive.Target{target.Parley(), target.GRPC(), target.Connect(), target.DRPC()} {
		all = append(all, &Target{Name: t.About().Name, Framework: t})
	}
	for _, runtime := range []string{node, chromium} {
		for _, library := range []string{subject, "connect-web"} {
			all = append(all, &Target{Name: runtime + "/" + library, Runtime: runtime, Library: library})
		}
	}
	return all
}

// targetNamed returns the target of a name, or nil.
func targetNamed(name string) *Target {
	for _, t := range Targets() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// TypeScript reports whether the target needs Node.js or Chromium.
func (t *Target) TypeScript() bool { return t.Framework == nil }

// Browser reports whether the target needs Chromium.
func (t *Target) Browser() bool { return t.Runtime == chromium }

// Can reports whether a workload is possible and meaningful on the target.
// Several streams and cuts are measured in Go. Requests of fetch are no
// streams.
func (t *Target) Can(w *Workload) bool {
	switch {
	case t.TypeScript() && w.Name == "upload":
		return t.Library == subject
	case t.TypeScript():
		return slices.Contains([]string{"first", "download"}, w.Name)
	}
	return w.Only == "" || w.Only == t.Name
}
