package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// schedIdle is SCHED_IDLE of sched(7), which package syscall does not have.
const schedIdle = 5

// yield has this program run only on processors that nothing else wants, and
// leave them at once. The lowest nice value is not enough: a thread that wakes
// up may then wait for some milliseconds. Linux keeps the policy for each
// thread, and the Go runtime has started several by now. So the thread with the
// new policy executes the program again.
func yield() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	got, _, errno := syscall.Syscall(syscall.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("sched_getscheduler", errno)
	}
	if got == schedIdle {
		return nil
	}
	var priority int32 // has to be 0
	if _, _, errno = syscall.Syscall(syscall.SYS_SCHED_SETSCHEDULER, 0, schedIdle, uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return os.NewSyscallError("sched_setscheduler", errno)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return errors.Join(errors.New("start again"), syscall.Exec(program, os.Args, os.Environ()))
}
