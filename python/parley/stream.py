"""Streams: messages in both directions, with flow control (PROTOCOL.md, sections 6 and 7)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from . import frame as f
from .closecode import reset_error
from .frame import Frame
from .status import Code, RpcError
from .varint import Bytes, Fault
from .window import FRAME_COST, RecvWindow, SendWindow

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Received:
    """A message that has arrived. Marked means compressed. The cost is what it still holds of the window."""

    data: bytes
    marked: bool
    cost: int


class Progress(Enum):
    """What came of an attempt to send the next frame of a stream."""

    MORE = "more"
    WAITS = "waits"
    DONE = "done"


class StreamEvents(Protocol):
    """Hears what happens to a stream. Each method is called at most once."""

    def on_header(self, block: bytes) -> None:
        """The peer's header has arrived, before its first message."""

    def on_end(self, trailer: bytes) -> None:
        """The peer has ended its direction. Messages may still wait to be read."""

    def on_fail(self, error: RpcError) -> None:
        """The stream has failed."""


@dataclass
class _Outgoing:
    type: int
    data: bytes
    mark: int
    end: bool
    sent: asyncio.Future[None]
    at: int = 0


class Stream:
    """One stream of a session. It has the id 0 until its OPEN is sent."""

    def __init__(self, session: Session, make_header: Callable[[Session], bytes] | None, wait_for_ready: bool = False) -> None:
        self.session = session
        self.make_header = make_header  # None if the peer has opened the stream
        self.wait_for_ready = wait_for_ready
        self.id = 0
        self.events: StreamEvents | None = None
        self.error: RpcError | None = None
        self.closed = False
        self.recv_over = False
        self.send_over = False
        self._out: deque[_Outgoing] = deque()
        self._send = SendWindow(0)
        self._window = RecvWindow(session.settings.initial_window)
        self._headed = False
        self._pieces: list[Bytes] = []
        self._size = self._cost = 0
        self._inside: int | None = None  # MARK of the message that is arriving
        self._inbox: deque[Received] = deque()
        self._reader: asyncio.Future[None] | None = None

    # Sending.

    async def send(self, data: bytes, *, marked: bool = False, end: bool = False) -> bool:
        """
        Sends a message. It returns when all of it is on its way, which slows the sender to the speed of the reader.

        It returns False if the peer has ended the stream, and raises the error of a stream that has failed. A caller
        that is canceled meanwhile has to reset the stream.
        """
        return await self._queue(f.DATA, data, f.FLAG_MARK if marked else 0, end)

    async def send_header(self, block: bytes) -> bool:
        """Sends the header of the accepting end."""
        return await self._queue(f.HEADER, block, 0, False)

    async def end(self, trailer: bytes = b"") -> bool:
        """Ends this direction behind what was sent."""
        return await self._queue(f.END, trailer, 0, True)

    async def _queue(self, type: int, data: bytes, mark: int, end: bool) -> bool:
        if self.error:
            raise self.error
        if self.closed or self.send_over:
            return False
        sent = asyncio.get_running_loop().create_future()
        self._out.append(_Outgoing(type, data, mark, end, sent))
        self.send_over = end
        self.session.mark_ready(self)
        await sent
        if self.error:
            raise self.error
        return True

    def start(self, id: int) -> None:
        """Gives the stream its id: OPEN was sent or received."""
        self.id = id
        self._send.raise_limit(self.session.peer.initial_window)

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    @property
    def inside_message(self) -> bool:
        """Reports whether a message was sent in part."""
        return bool(self._out) and self._out[0].at > 0

    def emit(self, emit: Callable[[int, int, int, Bytes], None]) -> Progress:
        """Emits the next frame, as its type, flags, stream and payload."""
        if not self._out:
            return Progress.DONE
        out, peer = self._out[0], self.session.peer
        limit = peer.max_message if out.type == f.DATA else peer.max_header
        if len(out.data) > limit:
            if self.session.established:
                self.reset(f.CANCEL, self._too_large(len(out.data), limit))
            return Progress.WAITS
        flags, payload = 0, memoryview(out.data)
        if out.type == f.DATA:
            size = self._send.spend(len(out.data) - out.at, peer.max_frame)
            if size < 0:
                return Progress.WAITS
            payload = payload[out.at : out.at + size]
            out.at += size
            flags = out.mark
            if out.at < len(out.data):
                flags |= f.FLAG_MORE
            elif out.end:
                flags |= f.FLAG_END
        emit(out.type, flags, self.id, payload)
        if not flags & f.FLAG_MORE:
            self._out.popleft()
            if not out.sent.done():
                out.sent.set_result(None)
            self._close_if_over()
        return Progress.MORE if self._out else Progress.DONE

    def _too_large(self, size: int, limit: int) -> RpcError:
        return RpcError(Code.RESOURCE_EXHAUSTED, f"a message has {size} bytes, and the peer accepts {limit}")

    def raise_limit(self, limit: int) -> None:
        """Handles WINDOW, or the initial window of HELLO."""
        self._send.raise_limit(limit)
        if self._out:
            self.session.mark_ready(self)

    # Receiving.

    async def receive(self) -> Received | None:
        """Returns the next message, None when the peer has ended its direction."""
        while True:
            if self._inbox:
                message = self._inbox.popleft()
                self._consume(message.cost)
                return message
            if self.recv_over:
                return None
            if self.error:
                raise self.error
            if self.closed:
                raise RpcError(Code.CANCELED, "the call has ended")
            if self._reader:
                raise RuntimeError("another task is receiving: one task at a time reads a stream")
            self._reader = asyncio.get_running_loop().create_future()
            self._take_pieces()
            try:
                await self._reader
            finally:
                self._reader = None

    def handle(self, frame: Frame, max_header: int) -> None:
        """Handles HEADER, DATA or END. A fault resets the stream."""
        try:
            if frame.type == f.DATA:
                self._handle_data(frame)
            elif len(frame.payload) > max_header:
                raise Fault("S12")
            elif frame.type == f.HEADER:
                self._handle_header(bytes(frame.payload))
            else:
                self.handle_end(bytes(frame.payload))
        except Fault as e:
            over = e.rule in ("S12", "S13")
            code = Code.RESOURCE_EXHAUSTED if over else Code.INTERNAL
            self.reset(f.LIMIT if over else f.PROTOCOL, RpcError(code, str(e)))

    def _handle_header(self, block: bytes) -> None:
        if not self.make_header:
            raise Fault("S8")
        if self._headed or self.recv_over:
            raise Fault("S6")
        self._headed = True
        if self.events:
            self.events.on_header(block)

    def _handle_data(self, frame: Frame) -> None:
        cost, mark = len(frame.payload) + FRAME_COST, frame.flags & f.FLAG_MARK
        if self.recv_over:
            raise Fault("S5")
        if not self._window.receive(cost):
            raise Fault("W1")
        if self._inside is not None and mark != self._inside:
            raise Fault("S11")
        self._size += len(frame.payload)
        if self._size > self.session.settings.max_message:
            raise Fault("S13")
        self._headed = True
        self._add_piece(frame.payload)
        self._cost += cost
        if frame.flags & f.FLAG_MORE:
            self._inside = mark
            if self._reader:
                self._take_pieces()
            return
        self._inbox.append(Received(b"".join(self._pieces), bool(mark), self._cost))
        self._drop_pieces()
        self._wake()
        if frame.flags & f.FLAG_END:
            self.handle_end(b"")

    def _add_piece(self, piece: Bytes) -> None:
        self._pieces.append(bytes(piece))
        # A piece costs more than its bytes: small ones are joined, so that few remain.
        while len(self._pieces) > 1 and len(self._pieces[-2]) <= min(1024, len(self._pieces[-1])):
            last = self._pieces.pop()
            self._pieces[-1] = bytes(self._pieces[-1]) + last

    def _take_pieces(self) -> None:
        """Counts what has arrived of a message that is waited for as taken, so that the rest can come."""
        if self._cost and self._reader and self.session.assembly.take(self, self._cost, self._take_pieces):
            cost, self._cost = self._cost, 0
            self._consume(cost)

    def _drop_pieces(self) -> None:
        self._pieces = []
        self._size = self._cost = 0
        self._inside = None
        self.session.assembly.release(self)

    def _consume(self, cost: int) -> None:
        limit = self._window.consume(cost)
        if limit and not self.recv_over and not self.closed:
            self.session.send_window(self, limit)

    def handle_end(self, trailer: bytes) -> None:
        """Handles the end of the peer's direction."""
        if self.recv_over:
            raise Fault("S7")
        if self._inside is not None:
            raise Fault("S10")
        self.recv_over = self._headed = True
        if self.events:
            self.events.on_end(trailer)
        self._wake()
        self._close_if_over()

    @property
    def credit(self) -> int:
        """The limit that the peer has to hear again after a resumption, 0 for none."""
        raised = self._window.limit > self.session.settings.initial_window
        return self._window.limit if raised and not self.recv_over else 0

    # Ending.

    def handle_reset(self, code: int, reason: str) -> None:
        """Handles RESET. What was not read is dropped, unless the peer's direction was over."""
        if not self.recv_over:
            self._inbox.clear()
        self.fail(reset_error(code, reason))

    def reset(self, code: int, error: RpcError) -> None:
        """Resets the stream, and tells the peer. If the peer's direction is over, what arrived can still be read."""
        if self.closed:
            return
        if self.id:
            self.session.send_reset(self, code, error.message)
        if not self.recv_over:
            self._inbox.clear()
        self.fail(error)

    def fail(self, error: RpcError) -> None:
        """Fails the stream without telling the peer. What has arrived can still be read."""
        if self.closed:
            return
        self.error = error
        self._close()
        if self.events:
            self.events.on_fail(error)

    def header_too_long(self, size: int, limit: int) -> None:
        """Fails a stream whose OPEN the peer would not take."""
        self.fail(RpcError(Code.RESOURCE_EXHAUSTED, f"the metadata takes {size} bytes, and the peer accepts {limit}"))

    def _close_if_over(self) -> None:
        # An accepting end reads no more once its own direction is over.
        if self.send_over and not self._out and (self.recv_over or not self.make_header):
            self._close()

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        while self._out:
            sent = self._out.popleft().sent
            if not sent.done():
                sent.set_result(None)
        self._drop_pieces()
        self._wake()
        self.session.remove(self)

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)
