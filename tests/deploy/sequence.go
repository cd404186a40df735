package main

// sequence counts the numbered notes of one direction of a call. The zero value
// expects number 0.
type sequence struct {
	next       uint64              // the lowest number that is higher than all that came
	missing    map[uint64]struct{} // lower numbers that have not come
	received   int                 // different ones
	duplicated int
	reordered  int
}

// take counts a note with a number.
func (s *sequence) take(number uint64) {
	switch {
	case number >= s.next:
		s.miss(number)
		s.next = number + 1
	case s.forgive(number):
		s.reordered++
	default:
		s.duplicated++
		return
	}
	s.received++
}

// mostMissing bounds what a sequence remembers, should numbers be nonsense.
const mostMissing = 1 << 16

// miss remembers the numbers that have not come, up to the end of a range.
func (s *sequence) miss(end uint64) {
	for n := s.next; n < end && len(s.missing) < mostMissing; n++ {
		if s.missing == nil {
			s.missing = make(map[uint64]struct{})
		}
		s.missing[n] = struct{}{}
	}
}

// forgive forgets that a number is missing, and reports whether it was.
func (s *sequence) forgive(number uint64) bool {
	_, late := s.missing[number]
	delete(s.missing, number)
	return late
}

// close takes note that numbers below end were sent. It returns what came of
// them.
func (s *sequence) close(end uint64) Counts {
	s.miss(end)
	return Counts{Lost: len(s.missing), Duplicated: s.duplicated, Reordered: s.reordered}
}
