//go:build !linux

package proc

import (
	"errors"
	"os/exec"
)

// isolate makes the start fail: only Linux has network namespaces.
func isolate(cmd *exec.Cmd) { cmd.Err = errors.ErrUnsupported }

// SetUpNetwork returns the congestion control of TCP sockets if it is known.
func SetUpNetwork() (congestion string, err error) { return "", nil }
