package proc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unsafe"
)

// ownNetwork is the variable of the environment of a child in a network
// namespace of its own.
const ownNetwork = "PARLEY_BENCH_NETWORK"

// isolate has a command start in a network namespace of its own. It takes a
// user namespace too where the user is not root.
func isolate(cmd *exec.Cmd) {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	cmd.Env = append(cmd.Env, ownNetwork+"=1")
}

const congestionFile = "/proc/sys/net/ipv4/tcp_congestion_control"

// SetUpNetwork brings up the loopback interface of a child that was started
// apart, and selects the congestion control that all machines have. It returns
// the one that TCP then uses, or "" if that is not known.
func SetUpNetwork() (congestion string, err error) {
	if os.Getenv(ownNetwork) != "" {
		if err := loopbackUp(); err != nil {
			return "", err
		}
		_ = os.WriteFile(congestionFile, []byte("reno"), 0o644) // fails where /proc is read-only
	}
	text, err := os.ReadFile(congestionFile)
	if err != nil {
		return "", nil //nolint:nilerr // it is only not known
	}
	return strings.TrimSpace(string(text)), nil
}

// interfaceFlags is the argument of SIOCSIFFLAGS: struct ifreq.
type interfaceFlags struct {
	name  [syscall.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	request := interfaceFlags{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		err = os.NewSyscallError("ioctl", errno)
	}
	return errors.Join(err, syscall.Close(fd))
}
