package notes

// sequence counts the numbered notes of one direction of a call. The zero value
// expects number 0.
type sequence struct {
	next       uint64              // one more than the highest number received
	missing    map[uint64]struct{} // lower numbers that were not received
	received   int                 // different ones
	duplicated int
	reordered  int
}

// take counts the note with a number.
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

// mostMissing bounds what a sequence remembers if the numbers are wrong.
const mostMissing = 1 << 16

// miss records the numbers of a range as missing.
func (s *sequence) miss(end uint64) {
	for n := s.next; n < end && len(s.missing) < mostMissing; n++ {
		if s.missing == nil {
			s.missing = make(map[uint64]struct{})
		}
		s.missing[n] = struct{}{}
	}
}

// forgive removes a number from the missing ones, and reports whether it was
// missing.
func (s *sequence) forgive(number uint64) bool {
	_, late := s.missing[number]
	delete(s.missing, number)
	return late
}

// close ends the sequence: numbers below end were sent. It returns the result.
func (s *sequence) close(end uint64) Counts {
	s.miss(end)
	return Counts{Lost: len(s.missing), Duplicated: s.duplicated, Reordered: s.reordered}
}
