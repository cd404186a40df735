"""Flow control: the credit of both directions of a stream, and memory for large messages (PROTOCOL.md, section 7)."""

from __future__ import annotations

from collections.abc import Callable

FRAME_COST = 32  # of a DATA frame, beside its payload
MIN_PIECE = 4_096  # a shorter piece of a longer message waits for credit
MAX_PIECE = 32_768  # other streams send between two pieces


class SendWindow:
    """The credit that the peer has given for a direction."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0

    def raise_limit(self, limit: int) -> None:
        """Sets a higher limit. A lower one has no effect."""
        self._limit = max(self._limit, limit)

    def spend(self, size: int, max_frame: int) -> int:
        """Takes credit for a piece of at most size bytes. It returns the length of the piece, or -1 without credit."""
        credit = self._limit - self._spent - FRAME_COST
        piece = min(size, max_frame, MAX_PIECE)
        if piece > credit:
            if credit < MIN_PIECE:
                return -1
            piece = credit
        self._spent += piece + FRAME_COST
        return piece


class RecvWindow:
    """The credit that this end has given for a direction. Its size stays the same, which bounds what waits to be read."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._received = 0
        self._consumed = 0
        self.limit = size

    def receive(self, cost: int) -> bool:
        """Counts what has arrived. It reports whether the credit covers that."""
        self._received += cost
        return self._received <= self.limit

    def consume(self, cost: int) -> int:
        """Counts what the application has taken. It returns the limit to send to the peer, 0 for none."""
        self._consumed += cost
        if self._consumed + self._size - self.limit < self._size // 2:
            return 0
        self.limit = self._consumed + self._size
        return self.limit


class Assembly:
    """
    The memory of a session for messages that have arrived in part and are waited for.

    Pieces within the limit count as taken, so that a message may be larger than its window. Beyond the limit, only one
    message at a time goes on.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[object, int] = {}
        self._total = 0
        self._alone: object = None
        self._waiting: dict[object, Callable[[], None]] = {}

    def take(self, owner: object, size: int, retry: Callable[[], None]) -> bool:
        """Takes memory for a message of owner. If there is none, it calls retry when some may have become free."""
        if self._total + size > self._limit:
            if self._alone not in (None, owner):
                self._waiting[owner] = retry
                return False
            self._alone = owner
        self._used[owner] = self._used.get(owner, 0) + size
        self._total += size
        return True

    def release(self, owner: object) -> None:
        """Returns the memory of owner: its message is complete, or dropped."""
        self._waiting.pop(owner, None)
        used = self._used.pop(owner, 0)
        if not used and self._alone is not owner:
            return
        self._total -= used
        if self._alone is owner:
            self._alone = None
        waiting, self._waiting = self._waiting, {}
        for retry in waiting.values():
            retry()
