package transport

import "testing"

func TestRingGrowsWithWhatIsInIt(t *testing.T) {
	var r idRing[uint64]
	ids := make([]uint64, 1000)
	for i := range ids {
		ids[i] = uint64(2*i + 1)
		if r.occupant(ids[i]) != nil {
			t.Fatalf("no place for %d", ids[i])
		}
		r.add(ids[i], &ids[i])
	}
	if len(r.slots) > 4*len(ids) || len(r.above(0)) != len(ids) || len(r.above(ids[499])) != 500 {
		t.Errorf("%d slots, %d items", len(r.slots), len(r.above(0)))
	}
	for i := range ids {
		if r.find(ids[i]) != &ids[i] || r.find(ids[i]+uint64(2*len(r.slots))) != nil {
			t.Fatalf("%d is not found, or for another", ids[i])
		}
		r.remove(ids[i])
		if r.find(ids[i]) != nil {
			t.Fatalf("%d is still there", ids[i])
		}
	}
	if r.used != 0 {
		t.Errorf("%d items are left", r.used)
	}
}

func TestRingDoesNotGrowForFewThatLast(t *testing.T) {
	var r idRing[uint64]
	first := uint64(1)
	r.occupant(first)
	r.add(first, &first)
	for id := uint64(3); id < 100_000; id += 2 {
		switch old := r.occupant(id); {
		case old == nil:
			r.add(id, &id)
			r.remove(id)
		case old != &first || len(r.slots) != leastRing:
			t.Fatalf("%d of %d slots is in the way", *old, len(r.slots))
		default:
			return
		}
	}
	t.Error("the first has never been in the way")
}

func TestRingHasALargestSize(t *testing.T) {
	var r idRing[uint64]
	ids := make([]uint64, maxRing+1)
	for i := range maxRing {
		ids[i] = uint64(2 * i)
		if r.occupant(ids[i]) != nil {
			t.Fatalf("no place for item %d", i)
		}
		r.add(ids[i], &ids[i])
	}
	if old := r.occupant(2 * maxRing); old != &ids[0] {
		t.Errorf("%v is in the way", old)
	}
}
