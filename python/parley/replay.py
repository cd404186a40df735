"""What resumption needs: frames that are not acknowledged, and the count of those received (PROTOCOL.md, section 8)."""

from __future__ import annotations

from collections import deque

from .varint import Fault

ACK_DELAY = 0.5  # seconds; half of what the protocol allows
BULK_BYTES = 8 << 10  # acknowledged soon
BULK_DELAY = 0.005
MAX_UNACKED = 64 << 10  # acknowledged at once


class Replay:
    """The sequenced frames that the peer has not acknowledged."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._acked = 0
        self._next = 0  # the index of the frame to retransmit next
        self.bytes = 0

    @property
    def sent(self) -> int:
        """How many sequenced frames were sent in the session."""
        return self._acked + len(self._frames)

    @property
    def empty(self) -> bool:
        """Reports whether everything is acknowledged."""
        return not self._frames

    def add(self, frame: bytes) -> None:
        """Keeps a frame that is being sent."""
        self._frames.append(frame)
        self._next = len(self._frames)
        self.bytes += len(frame)

    def ack(self, received: int) -> None:
        """Drops the frames that the peer has received."""
        if received < self._acked:
            raise Fault("A1", what=f"ACK {received} below {self._acked}")
        if received > self.sent:
            raise Fault("A2", what=f"ACK {received} above {self.sent}")
        for _ in range(received - self._acked):
            self.bytes -= len(self._frames.popleft())
        self._next = max(0, self._next - (received - self._acked))
        self._acked = received

    def rewind(self, received: int) -> None:
        """Begins to retransmit what the peer has not received."""
        if not self._acked <= received <= self.sent:
            raise Fault("A8", what=f"received {received} of {self._acked} to {self.sent}")
        self.ack(received)
        self._next = 0

    def retransmit(self) -> bytes | None:
        """Returns the next frame to retransmit, None if there is none."""
        if self._next >= len(self._frames):
            return None
        self._next += 1
        return self._frames[self._next - 1]

    @property
    def retransmitting(self) -> bool:
        """Reports whether frames are still to be retransmitted."""
        return self._next < len(self._frames)


class Received:
    """How many sequenced frames have arrived, and when to acknowledge them."""

    def __init__(self) -> None:
        self.count = 0
        self._acked = 0
        self._bytes = 0

    @property
    def pending(self) -> bool:
        """Reports whether something is not acknowledged."""
        return self.count > self._acked

    def add(self, size: int) -> None:
        """Counts a sequenced frame that has been acted upon."""
        self.count += 1
        self._bytes += size

    def delay(self, peer_replay_limit: int) -> float:
        """Returns the time in seconds after which the ACK is due."""
        if self._bytes >= min(MAX_UNACKED, peer_replay_limit // 4):
            return 0
        return BULK_DELAY if self._bytes >= BULK_BYTES else ACK_DELAY

    def ack(self) -> int:
        """Returns the number to acknowledge."""
        self._acked = self.count
        self._bytes = 0
        return self.count
