//go:build unix

package main

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// yield gives this program the lowest priority. Linux keeps a priority for each
// thread, and Go has several by now. So the program starts again, out of the
// thread that has it.
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
