package transport

import "testing"

func newLocalStream(t *streamTable, id uint64) *Stream {
	st := t.pool.getLocal()
	st.id = id
	return st
}

func newRemoteStream(t *streamTable, id uint64) *Stream {
	st := t.pool.getRemote()
	st.id = id
	return st
}

func TestTableKnowsWhichStreamsWereEverOpened(t *testing.T) {
	table := newStreamTable(Dialer)
	for _, id := range []uint64{1, 2} {
		if _, err := table.find(id); err == nil {
			t.Errorf("stream %d was opened", id)
		}
	}
	if err := table.recordRemote(4); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{4, 2, 7} {
		if err := table.recordRemote(id); err == nil {
			t.Errorf("the peer may open stream %d after stream 4", id)
		}
	}
	st := newRemoteStream(&table, 4)
	table.insertRemote(st)
	if got, err := table.find(4); got != st || err != nil {
		t.Errorf("found %v, %v", got, err)
	}
	table.remove(st, true, 1)
	if got, err := table.find(4); got != nil || err != nil {
		t.Errorf("found %v, %v after the stream's end", got, err)
	}
	if got, err := table.find(2); got != nil || err != nil {
		t.Errorf("a stream that was skipped: %v, %v", got, err)
	}
}

func TestSlotsGoToTheFirstThatWaits(t *testing.T) {
	table := newStreamTable(Dialer)
	if !table.tryReserve(1) || table.tryReserve(1) {
		t.Fatal("a limit of 1 is not one slot")
	}
	w := table.slotQueue.add(1)
	if table.tryReserve(2) {
		t.Error("a slot was taken ahead of one that waits")
	}
	table.releaseSlot(1)
	<-w.ready
	if !w.granted || table.local != 1 {
		t.Errorf("granted %v, %d slots are taken", w.granted, table.local)
	}
	table.stopOpening()
	if table.canOpen() {
		t.Error("streams can be opened after the end")
	}
}

func TestRemoteStreamsAreRefusedOverTheLimit(t *testing.T) {
	table := newStreamTable(Dialer)
	for i := range uint64(4) {
		if refusal := table.refusal(2); refusal != nil {
			t.Fatalf("stream %d: %v", i, refusal)
		}
		st := newRemoteStream(&table, 2*i+2)
		table.insertRemote(st)
		if i%2 == 1 {
			if table.refusal(2) == nil {
				t.Fatal("a third stream at once")
			}
			table.remove(st, true, 0)
			table.remove(table.byID[2*i], true, 0)
		}
	}
	if table.refusal(2) == nil {
		t.Error("4 streams that ended are still used, and a limit of 2 admits more")
	}
}

func TestTableIsIdleOnceStreamsHaveEndedAndAreClosed(t *testing.T) {
	table := newStreamTable(Acceptor)
	st := newRemoteStream(&table, 1)
	table.insertRemote(st)
	idle := table.whenIdle()
	if table.releaseIdle() {
		t.Error("memory of a stream was released")
	}
	table.remove(st, true, 0)
	select {
	case <-idle:
		t.Error("idle while the application uses a stream")
	default:
	}
	table.free(st)
	<-idle
	<-table.whenIdle()
	if len(table.pool.remote) != 1 {
		t.Errorf("%d streams are kept for reuse", len(table.pool.remote))
	}
	if !table.releaseIdle() || table.pool.remote != nil {
		t.Error("an empty table keeps memory")
	}
}

func TestLocalStreamIsReusedOnlyIfThePeerEndedIt(t *testing.T) {
	for _, byPeer := range []bool{true, false} {
		table := newStreamTable(Dialer)
		table.tryReserve(1)
		st := newLocalStream(&table, 1)
		table.insert(st)
		table.nextID = 3
		table.remove(st, byPeer, 1)
		table.free(st)
		if reused := table.pool.getLocal() == st; reused != byPeer {
			t.Errorf("ended by the peer %v: reused %v", byPeer, reused)
		}
	}
}

func TestAcceptQueueWakesOneForEachStream(t *testing.T) {
	q := acceptQueue{wake: make(chan struct{}, 1)}
	first, second := new(Stream), new(Stream)
	q.push(first)
	q.push(second)
	<-q.wake
	if q.pop() != first {
		t.Error("not the first stream")
	}
	<-q.wake
	if q.pop() != second || q.pop() != nil {
		t.Error("not the second stream and then none")
	}
}
