// Package target contains the frameworks to measure, each in its own file with
// a server half and a client half. To add one, write such a file and list it in
// All.
package target

import "github.com/parley-rpc/parley/bench/internal/drive"

// Reference is the name of the target with which the others are compared.
const Reference = "grpc-go"

// All returns the targets, in the order in which they are measured.
func All() []drive.Target {
	return []drive.Target{Parley(), GRPC(), Connect(), DRPC(), TTRPC(), Tunnel(), ParleyGRPC(), Frames(), Gorilla()}
}

// Named returns the target of a name, or nil.
func Named(name string) drive.Target {
	for _, t := range All() {
		if t.About().Name == name {
			return t
		}
	}
	return nil
}
