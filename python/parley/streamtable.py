"""The streams of a session (PROTOCOL.md, sections 6.1 and 6.3)."""

from __future__ import annotations

from collections.abc import Iterator

from .status import RpcError
from .stream import Stream
from .varint import LARGEST, Fault


class StreamTable:
    """Streams by id, those that wait to be opened, and those with something to send. This end opens odd ids."""

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self.pending: dict[Stream, None] = {}
        self.ready: dict[Stream, None] = {}
        self.highest_local = -1
        self.highest_remote = 0
        self.local = 0  # that count as open for the peer
        self.remote = 0

    @property
    def busy(self) -> bool:
        return bool(self._streams or self.pending)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    def get(self, id: int) -> Stream | None:
        """Returns the stream with an id that was opened; None if it is closed."""
        if id > (self.highest_local if id % 2 else self.highest_remote):
            raise Fault("S3", what=f"a frame for stream {id}, which was never opened")
        return self._streams.get(id)

    def open(self, stream: Stream) -> None:
        """Gives a pending stream its id."""
        self.highest_local += 2
        self.local += 1
        self._streams[self.highest_local] = stream
        stream.start(self.highest_local)

    def check_remote(self, id: int) -> None:
        """Checks the id of the peer's OPEN."""
        if id % 2:
            raise Fault("S1", what=f"OPEN of stream {id}, which is of the receiver's side")
        if id <= self.highest_remote:
            raise Fault("S2", what=f"OPEN of stream {id} behind {self.highest_remote}")
        self.highest_remote = id

    def accept(self, stream: Stream, id: int) -> None:
        self._streams[id] = stream
        self.remote += 1
        stream.start(id)

    def remove(self, stream: Stream, *, counts: bool) -> None:
        """Removes a closed stream. It may count as open until its RESET is sent."""
        self.pending.pop(stream, None)
        self.ready.pop(stream, None)
        if self._streams.pop(stream.id, None) is None:
            return
        if not stream.make_header:
            self.remote -= 1
        elif not counts:
            self.local -= 1

    def take_pending(self, *, waiting_only: bool) -> list[Stream]:
        """Removes and returns streams that were not opened yet: all, or those that wait for a connection."""
        taken = [s for s in self.pending if s.wait_for_ready or not waiting_only]
        for stream in taken:
            del self.pending[stream]
        return taken

    def fail_open(self, error: RpcError, last: int = LARGEST) -> None:
        """Fails the streams that are open. No application of the peer has seen those of this end above last."""
        for stream in self:
            unprocessed = bool(stream.make_header) and stream.id > last
            stream.fail(_copy(error, unprocessed=unprocessed))

    def fail_above(self, error: RpcError, last: int) -> None:
        """Fails the streams of this end above last, which the peer has not processed."""
        for stream in self:
            if stream.make_header and stream.id > last:
                stream.fail(_copy(error, unprocessed=True))

    def fail_pending(self, error: RpcError, *, waiting_too: bool) -> None:
        """Fails streams that were not opened yet; those that wait for a connection only if asked to."""
        for stream in list(self.pending):
            if waiting_too or not stream.wait_for_ready:
                stream.fail(_copy(error, unprocessed=True))


def _copy(error: RpcError, *, unprocessed: bool) -> RpcError:
    """Returns an error of its own for a call: callers add their tracebacks."""
    return RpcError(error.code, error.message, error.packed_details, trailers=error.trailers, unprocessed=unprocessed)
