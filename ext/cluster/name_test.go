package cluster

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestEveryClientNameHasASubjectOfItsOwn(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range []string{"a", "b", "A", "a.b", "a b", "*", ">", "é", strings.Repeat("x", 112), strings.Repeat("x", 113), strings.Repeat("x", 1024), strings.Repeat("y", 1024)} {
		subject := clientSubject("parley", name)
		if len(subject) > 255 || strings.ContainsAny(subject, " *>") {
			t.Errorf("%q: subject %q", name, subject)
		}
		if other, ok := seen[subject]; ok {
			t.Errorf("%q and %q share %q", name, other, subject)
		}
		seen[subject] = name
	}
}

func TestNamesThatAreNoClientsAreRefused(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("x", 1025), "\xff"} {
		if err := checkClientName(name); rpc.CodeOf(err) != rpc.CodeInvalidArgument {
			t.Errorf("%.10q: %v", name, err)
		}
	}
	if err := checkClientName(strings.Repeat("x", 1024)); err != nil {
		t.Error(err)
	}
}
