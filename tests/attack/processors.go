package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// attackersVariable is the environment variable that lists the attackers'
// processors, as taskset(1) takes them. It is empty if there is only one
// processor for all.
const attackersVariable = "PARLEY_ATTACK_PROCESSORS"

// keepApart leaves half of the processors to the attackers, since
// on their own machines they would not take the server's: it executes the
// program again on the others, and returns nil there. Linux keeps the processors
// for each thread, and the Go runtime has started several by now.
func keepApart() error {
	if _, done := os.LookupEnv(attackersVariable); done {
		return nil
	}
	all, err := processors()
	if err != nil {
		return err
	}
	half := (len(all) + 1) / 2
	if err := os.Setenv(attackersVariable, strings.Join(all[half:], ",")); err != nil || len(all) < 2 {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return fmt.Errorf("install util-linux: %w", err)
	}
	args := append([]string{taskset, "-c", strings.Join(all[:half], ","), program}, os.Args[1:]...)
	return fmt.Errorf("%s: %w", taskset, syscall.Exec(taskset, args, os.Environ()))
}

// ofAttackers is the command that runs a program as attackers: on processors of
// their own, or else only while nothing else wants the processor.
func ofAttackers(program string) *exec.Cmd {
	if own := os.Getenv(attackersVariable); own != "" {
		return exec.Command("taskset", "-c", own, program)
	}
	return exec.Command("chrt", "--idle", "0", program)
}

// processors returns the numbers of the processors on which this process may
// run (proc_pid_status(5)).
func processors() (all []string, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("the measurement needs Linux: %w", err)
	}
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("processors %q: %w", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("processors %q: %w", list, err)
		}
		for ; from <= to; from++ {
			all = append(all, strconv.Itoa(from))
		}
	}
	return all, nil
}
