"""Link messages: what is ready goes out together, in an order that keeps the rules (PROTOCOL.md, section 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import frame as f
from .control import Control
from .replay import Replay
from .stream import Progress
from .streamtable import StreamTable
from .varint import LARGEST, Bytes

if TYPE_CHECKING:
    from .session import Session

BATCH = 32 << 10  # a link message with so many bytes is full


class Outbox:
    """Makes one link message."""

    def __init__(self, streams: StreamTable, control: Control, replay: Replay | None, session: Session) -> None:
        self._streams = streams
        self._control = control
        self._replay = replay  # None if nothing is kept
        self._session = session
        self._message = bytearray()

    def add(self, frame: bytes) -> None:
        """Adds a frame that is not sequenced, or is retransmitted."""
        self._message += frame

    def pack(self) -> bytes:
        """Returns the link message, which is empty if nothing can be sent."""
        self._control.emit_signs(self._emit)
        while self._replay and self._replay.retransmitting and self._has_room():
            self.add(self._replay.retransmit() or b"")
        if self._replay and self._replay.retransmitting:
            return bytes(self._message)
        if self._control.emit(self._emit, self._has_room, self._local_closed):
            self._emit_opens()
            self._emit_messages()
        return bytes(self._message)

    def _has_room(self) -> bool:
        return len(self._message) < BATCH

    def _may_send(self) -> bool:
        """Reports whether the unacknowledged frames leave room for others than RESET and GOAWAY."""
        return self._has_room() and (self._replay is None or self._replay.bytes < self._session.settings.replay_limit)

    def _local_closed(self) -> None:
        self._streams.local -= 1

    def _emit(self, type: int, flags: int, stream: int, payload: Bytes) -> None:
        frame = f.Frame(type, flags, stream, payload)
        data = f.encode_frame(*frame)
        if self._replay and frame.sequenced:
            self._replay.add(data)
        self._message += data

    def _emit_opens(self) -> None:
        session, streams = self._session, self._streams
        for stream in list(streams.pending):
            if not self._may_send() or streams.local >= session.peer.max_streams:
                return
            if not session.drain.may_open or streams.highest_local + 2 > LARGEST or not stream.make_header:
                return
            header = stream.make_header(session)
            if len(header) > session.peer.max_header:
                if session.established:
                    stream.header_too_long(len(header), session.peer.max_header)
                continue
            del streams.pending[stream]
            streams.open(stream)
            self._emit(f.OPEN, 0, stream.id, header)
            if stream.has_output:
                streams.ready[stream] = None

    def _emit_messages(self) -> None:
        """Lets streams take turns: one frame of each that has something to send, and credit."""
        ready = self._streams.ready
        while ready and self._may_send():
            stream = next(iter(ready))
            del ready[stream]
            if stream.emit(self._emit) is Progress.MORE:
                ready[stream] = None
