package proc

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main is the main function of a program that runs itself as its children.
// child plays the part of a child and returns true, if the process is one.
// Otherwise run runs until it returns, or ctx ends with an interrupt.
func Main(who string, child func() (bool, error), run func(ctx context.Context) error) {
	if isChild, err := child(); isChild {
		Exit(who+": child", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	Exit(who, err)
}

// Exit ends the process: with code 2 if the error is that of a request for
// help, and with code 1 and its text if it is another one.
func Exit(who string, err error) {
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, who+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}
