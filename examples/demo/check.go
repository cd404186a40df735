package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/parley-rpc/parley/rpc"
)

// expect returns an error unless got is what was wanted.
func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("expected %s to be %v, got %v", what, want, got)
	}
	return nil
}

// expectStatus returns an error unless a call has ended with a code.
func expectStatus(err error, want rpc.Code) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("expected the call to end with %s, got %s", want.String(), status(err))
	}
	return nil
}

// expectEnd returns an error unless a stream has ended with OK.
func expectEnd(err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("expected the stream to end with OK, got %s", status(err))
	}
	return nil
}

// status describes how a call has ended, if it has.
func status(err error) string {
	switch {
	case err == nil:
		return "another message"
	case errors.Is(err, io.EOF):
		return "its end, with OK"
	}
	return err.Error()
}
