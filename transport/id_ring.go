package transport

// idRing finds small calls by the ids of their streams. It costs half of what a
// map costs, because the ids of one end are consecutive and small calls do not
// last long. The mutex of its owner guards it.
type idRing[T any] struct {
	slots []ringSlot[T] // their number is a power of two; nil while nothing was added
	used  int
}

// ringSlot is the place of all ids that are equal modulo the size of the ring.
type ringSlot[T any] struct {
	id   uint64
	item *T // nil: it is free
}

const (
	leastRing = 16
	maxRing   = 4096
)

func (r *idRing[T]) slot(id uint64) *ringSlot[T] {
	return &r.slots[int(id/2)&(len(r.slots)-1)]
}

// occupant returns what must be removed before an item with the id can be
// added, or nil: that which lasts longer than others. If the ring is half full,
// it grows instead.
func (r *idRing[T]) occupant(id uint64) *T {
	if r.slots == nil {
		r.slots = make([]ringSlot[T], leastRing)
	}
	for {
		item := r.slot(id).item
		if item == nil || 2*r.used < len(r.slots) || len(r.slots) == maxRing {
			return item
		}
		r.grow()
	}
}

// grow doubles the ring. Items with different places still have different ones.
func (r *idRing[T]) grow() {
	old := r.slots
	r.slots = make([]ringSlot[T], 2*len(old))
	for _, s := range old {
		if s.item != nil {
			*r.slot(s.id) = s
		}
	}
}

// add adds an item whose place is free.
func (r *idRing[T]) add(id uint64, item *T) {
	*r.slot(id) = ringSlot[T]{id: id, item: item}
	r.used++
}

// find returns the item of an id, or nil.
func (r *idRing[T]) find(id uint64) *T {
	if r.used == 0 {
		return nil
	}
	if s := r.slot(id); s.id == id {
		return s.item
	}
	return nil
}

// remove removes the item of an id.
func (r *idRing[T]) remove(id uint64) {
	r.slot(id).item = nil
	r.used--
}

// above returns the items with a higher id than last.
func (r *idRing[T]) above(last uint64) (items []*T) {
	for _, s := range r.slots {
		if s.item != nil && s.id > last {
			items = append(items, s.item)
		}
	}
	return items
}
