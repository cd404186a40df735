package otelparley

import "testing"

func TestWhatIsKeptOfEverNewMethodsIsBounded(t *testing.T) {
	var c cache[int, int]
	made := 0
	create := func() int {
		made++
		return made
	}
	for i := range 3 * mostKept {
		if c.get(i, create) != i+1 {
			t.Fatalf("%d is not what was made for it", i)
		}
	}
	if len(c.kept) != mostKept {
		t.Errorf("%d are kept", len(c.kept))
	}
	if c.get(0, create); made != 3*mostKept {
		t.Error("the first was made anew")
	}
}
