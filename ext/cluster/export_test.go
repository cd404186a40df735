package cluster

// SetAvailable cuts the bus, and repairs it.
func (b *MemoryBus) SetAvailable(available bool) { b.setAvailable(available) }
