"""The frames of a session that go ahead of its messages: PONG, PING, WINDOW, RESET and GOAWAY."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from . import frame as f
from .varint import Bytes, encode_varint

Emit = Callable[[int, int, int, Bytes], None]


class Control:
    """What waits to be sent. All of it is bounded but RESETs, whose bytes the session watches."""

    def __init__(self) -> None:
        self._pong: bytes | None = None
        self._ping = False
        self._windows: dict[int, int] = {}
        self._resets: deque[tuple[int, bytes, bool]] = deque()
        self._goaways: deque[bytes] = deque()
        self.reset_bytes = 0

    def pong(self, payload: bytes) -> None:
        """Answers a PING, the latest one only."""
        self._pong = payload

    def ping(self) -> None:
        self._ping = True

    def window(self, stream: int, limit: int) -> None:
        self._windows[stream] = limit

    def forget_window(self, stream: int) -> None:
        self._windows.pop(stream, None)

    def reset(self, stream: int, payload: bytes, counted: bool) -> None:
        """Resets a stream. Counted means that it counts as open until the RESET is sent."""
        self._resets.append((stream, payload, counted))
        self.reset_bytes += len(payload) + 64

    def goaway(self, payload: bytes) -> None:
        self._goaways.append(payload)

    def detach(self) -> None:
        """Forgets what belongs to a link."""
        self._pong = None
        self._ping = False
        self._windows.clear()

    def emit_signs(self, emit: Emit) -> None:
        """Emits PONG and PING."""
        if self._pong is not None:
            emit(f.PONG, 0, 0, self._pong)
            self._pong = None
        if self._ping:
            emit(f.PING, 0, 0, bytes(8))
            self._ping = False

    def emit(self, emit: Emit, has_room: Callable[[], bool], closed: Callable[[], None]) -> bool:
        """Emits the other frames while there is room. It calls closed for each counted RESET, and reports whether it is done."""
        while self._windows and has_room():
            stream = next(iter(self._windows))
            emit(f.WINDOW, 0, stream, encode_varint(self._windows.pop(stream)))
        while self._resets and has_room():
            stream, payload, counted = self._resets.popleft()
            self.reset_bytes -= len(payload) + 64
            emit(f.RESET, 0, stream, payload)
            if counted:
                closed()
        while self._goaways and has_room():
            emit(f.GOAWAY, 0, 0, self._goaways.popleft())
        return not (self._windows or self._resets or self._goaways)
