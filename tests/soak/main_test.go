package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingIsLeftWhenConnectionsComeAndGo(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-seconds", "2", "-clients", "6"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\n0 connections") {
		t.Error("no connection came and went")
	}
}
