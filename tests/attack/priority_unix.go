//go:build unix

package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// yield gives this program the lowest priority. Linux keeps a priority for each
// thread, and the Go runtime has started several by now. So the thread with the
// low priority executes the program again.
func yield() error {
	const lowest, lowestAsked = 19, 20 - 19 // the system call returns 20 - priority
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	got, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil || got == lowestAsked {
		return err
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return errors.Join(errors.New("start again"), syscall.Exec(program, os.Args, os.Environ()))
}
