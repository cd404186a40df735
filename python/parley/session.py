"""Sessions: streams that survive the link they use, at the end that dials (PROTOCOL.md, sections 5 to 10)."""

from __future__ import annotations

from collections.abc import Callable

from . import frame as f
from .closecode import LOST, close_action
from .control import Control
from .departure import Departure
from .drain import Drain
from .events import Link, SessionEvents
from .frame import Frame
from .goaway import NOTICE, Goaway, encode_goaway, parse_goaway
from .hello import Hello, SessionRef, Settings, encode_hello, parse_hello
from .keepalive import Keepalive
from .outbox import Outbox
from .replay import Received, Replay
from .status import Code, RpcError
from .stream import Stream
from .streamtable import StreamTable
from .timer import Timer
from .varint import LARGEST, Fault, decode_only_varint, encode_varint
from .window import Assembly

AGENT = "parley-python/0.1.0"
MAX_RESET_BYTES = 64 << 10  # of RESETs that wait, beside those for streams that may be open
ASSEMBLY_LIMIT = 16 << 20


class Session:
    """The dialer's end of a session."""

    def __init__(self, settings: Settings, events: SessionEvents, replaces: SessionRef | None = None) -> None:
        self.settings = settings
        self.peer = Settings()
        self.established = False  # the peer's HELLO has arrived in this session
        self.aliases: dict[str, int] = {}  # that the peer has given to methods
        self.drain = Drain()
        self.assembly = Assembly(ASSEMBLY_LIMIT)
        self.error: RpcError | None = None
        self.ref: SessionRef | None = None  # set if resumption is in force
        self._replaces = replaces
        self._events = events
        self._link: Link | None = None
        self._hello: bytes | None = None  # waits to be sent
        self._awaiting_hello = False
        self._resuming = False  # the HELLO on this link asks to resume
        self._ack_due = False
        self._attempt = 0
        self._streams = StreamTable()
        self._control = Control()
        self._replay = Replay()
        self._received = Received()
        self._keepalive = Keepalive(self._ping, self.drop_link)
        self._ack_timer = Timer(self._make_ack_due)
        self._expiry = Timer(self._expire)
        self._departure = Departure(self)

    @property
    def attached(self) -> bool:
        return self._link is not None

    @property
    def detached(self) -> bool:
        """Reports whether the link is lost, and the session may be resumed."""
        return self._link is None and self.error is None and self.ref is not None

    @property
    def may_open(self) -> bool:
        return self.error is None and self.drain.may_open

    @property
    def busy(self) -> bool:
        return self._streams.busy

    @property
    def _window(self) -> int:
        return min(self.settings.resume_window, self.peer.resume_window)

    # Links.

    def attach(self, link: Link) -> None:
        """Starts or resumes the session on a link."""
        self._link = link
        self._awaiting_hello = True
        self._resuming = self.ref is not None
        hello = Hello(self.settings, self.ref, replaces=self._replaces, agent=AGENT)
        if self._resuming:
            self._attempt += 1
            hello.received, hello.attempt = self._received.count, self._attempt
        self._hello = f.encode_frame(f.HELLO, 0, 0, encode_hello(hello))
        self._keepalive.start()
        link.wake()

    def link_closed(self, code: int, reason: str, may_resume: bool = False) -> None:
        """Handles the end of the link. With may_resume, a session that was not resumed yet asks again."""
        if self._link is None:
            return
        self._link = None
        self._stop_timers()
        ended_by_peer = bool(self.drain.goaway and self.drain.goaway.status)
        lost = code == LOST or (code in (1001, 1012) and not ended_by_peer)
        what = "the link is lost" if code == LOST else f"the peer has closed the link with code {code}"
        error = self.drain.cause or RpcError(close_action(code)[0], what + (f": {reason}" if reason else ""))
        resumable = lost or (may_resume and self._resuming and self._awaiting_hello)
        if self.ref is None or self.drain.cause or not resumable:
            return self._end(error, code)
        self._control.detach()
        if not self._expiry.running:
            self._expiry.start(self._window / 1000)
        self._events.detached(error)

    def drop_link(self, reason: str) -> None:
        """Gives up the link. The session is resumed if it can be."""
        link = self._link
        if link:
            self.link_closed(LOST, reason)
            link.drop()

    def close(self, code: int, error: RpcError) -> None:
        """Ends the session and fails its streams."""
        link = self._link
        self._end(error, code)
        if link:
            link.close(code, error.message)

    def _expire(self) -> None:
        self.close(LOST, RpcError(Code.UNAVAILABLE, "the session is lost: it was not resumed in time"))

    def _end(self, error: RpcError, code: int) -> None:
        if self.error:
            return
        self.error = error
        self._link = None
        self._stop_timers()
        self._expiry.stop()
        self._events.ended(error, code)  # first: pending streams may move
        refused = not self.established and 4000 < code < 4100
        last = 0 if refused else self.drain.goaway.last_stream if self.drain.goaway else LARGEST
        self._streams.fail_open(error, last)
        self._streams.fail_pending(error, waiting_too=True)

    def _stop_timers(self) -> None:
        self._keepalive.stop()
        self._ack_timer.stop()
        self._departure.stop()

    # What arrives.

    def receive(self, data: bytes | str) -> None:
        """Handles a message of the link."""
        if self._link is None:
            return
        self._keepalive.heard()
        try:
            if isinstance(data, str):
                raise Fault("L1", 1003, "a text message")
            self._handle_message(memoryview(data))
        except Fault as e:
            self.close(e.code, RpcError(close_action(e.code)[0], str(e)))
        self.wake()

    def _handle_message(self, data: memoryview) -> None:
        if not data:
            raise Fault("L2", what="an empty link message")
        if len(data) > self.settings.max_frame + f.MAX_LINK_OVERHEAD:
            raise Fault("L3", 1009, f"a link message of {len(data)} bytes")
        at = 0
        while at < len(data) and self._link:
            if at >= f.LAST_START:
                raise Fault("L9", what="a frame behind the first 65,536 bytes of a link message")
            start = at
            frame, at = f.parse_frame(data, at, self.settings.max_frame)
            if self._awaiting_hello and frame.type != f.HELLO:
                raise Fault("N1", what="the first frame is not HELLO")
            if frame.ignorable:
                continue
            self._handle_frame(frame)
            if frame.sequenced:
                self._received.add(at - start)
        if self.ref and self._link and self._received.pending:
            self._ack_timer.sooner(self._received.delay(self.peer.replay_limit))
        self._departure.check()

    def _handle_frame(self, frame: Frame) -> None:
        match frame.type:
            case f.HELLO:
                self._handle_hello(parse_hello(frame.payload))
            case f.OPEN:
                self._handle_open(frame)
            case f.RESET:
                if stream := self._streams.get(frame.stream):
                    stream.handle_reset(*f.parse_reset(frame.payload))
            case f.WINDOW:
                if stream := self._streams.get(frame.stream):
                    stream.raise_limit(decode_only_varint(frame.payload))
            case f.HEADER | f.DATA | f.END:
                if stream := self._streams.get(frame.stream):
                    stream.handle(frame, self.settings.max_header)
            case f.ACK:
                if self.ref:
                    self._replay.ack(decode_only_varint(frame.payload))
                    if self._replay.empty:
                        self._departure.acknowledged()
            case f.PING:
                self._control.pong(bytes(frame.payload))
            case f.GOAWAY:
                self._handle_goaway(parse_goaway(frame.payload))

    def _handle_hello(self, hello: Hello) -> None:
        if not self._awaiting_hello:
            raise Fault("N2", what="a second HELLO")
        if self._resuming != (hello.resumed is not None):
            raise Fault("N7", what="resumed does not fit the request")
        if hello.resumed:
            self._resume(hello)
        else:
            self._start(hello)
        if self.error:
            return
        self._awaiting_hello = False
        self._expiry.stop()
        self.established = True
        self._keepalive.hello(min(self.settings.keepalive, self.peer.keepalive) / 1000)
        for stream in self._streams:
            if stream.credit:
                self._control.window(stream.id, stream.credit)
            stream.raise_limit(self.peer.initial_window)
        self._events.ready(bool(hello.resumed))

    def _resume(self, hello: Hello) -> None:
        if self.ref is None or hello.ref is None or hello.ref.session != self.ref.session:
            raise Fault("N7", what="another session than the requested one is resumed")
        self._replay.rewind(hello.received)
        self.ref = hello.ref
        self._ack_due = True  # it proves that this end has the new token

    def _start(self, hello: Hello) -> None:
        if self._resuming:
            self._forget()
        if self.error:
            return
        self.peer = hello.settings
        if not self._window:
            self._replay = Replay()
        elif hello.ref is None:
            raise Fault("N7", what="resumption is in force, and HELLO names no session")
        else:
            self.ref = hello.ref

    def _forget(self) -> None:
        """The peer does not know the session: a new one starts on the same link, with the streams that are pending."""
        pending, streams = self._streams.pending, self._streams
        streams.fail_open(RpcError(Code.UNAVAILABLE, "the session is lost: the peer does not know it"))
        self._streams = StreamTable()
        self._streams.pending = pending
        self._replay, self._received, self._control = Replay(), Received(), Control()
        self.ref, self._attempt, self._resuming = None, 0, False
        self.aliases.clear()
        self._ack_due = self._window > 0
        self.drain.goaway, self.drain.final = None, False
        if self.drain.stopped:
            self.send_goaway(NOTICE)

    def _handle_goaway(self, goaway: Goaway) -> None:
        self.drain.receive(goaway)
        if goaway.status:
            return  # the end of the link follows
        self._events.goaway(goaway)
        reason = goaway.reason or "the peer drains"
        self._streams.fail_above(RpcError(Code.UNAVAILABLE, reason), goaway.last_stream)

    def _handle_open(self, frame: Frame) -> None:
        self._streams.check_remote(frame.stream)
        wrong: tuple[int, str] | None = None
        if self.drain.final:
            wrong = f.REFUSED, "the session is being closed"
        elif self._streams.remote >= self.settings.max_streams:
            wrong = f.REFUSED, "too many streams"
        elif len(frame.payload) > self.settings.max_header:
            wrong = f.LIMIT, "the header exceeds the limit"
        if wrong:
            return self._queue_reset(frame.stream, *wrong, counted=False)
        stream = Stream(self, None)
        self._streams.accept(stream, frame.stream)
        self._events.accept(stream, bytes(frame.payload))
        if frame.flags & f.FLAG_END and not stream.closed:
            stream.handle_end(b"")

    # What is sent.

    def open(self, make_header: Callable[[Session], bytes], wait_for_ready: bool = False) -> Stream:
        """Opens a stream as soon as there is a link and the peer's limit allows it. It calls make_header then."""
        stream = Stream(self, make_header, wait_for_ready)
        self._streams.pending[stream] = None
        self.wake()
        return stream

    def move_pending(self, to: Session, *, waiting_only: bool = False) -> None:
        """Moves streams that were not opened yet to another session: all, or those that wait for a connection."""
        for stream in self._streams.take_pending(waiting_only=waiting_only):
            stream.session = to
            to._streams.pending[stream] = None
        to.wake()
        self._departure.check()

    def fail_pending(self, error: RpcError) -> None:
        """Fails streams that were not opened yet, but those that wait for a connection."""
        self._streams.fail_pending(error, waiting_too=False)

    def wake(self) -> None:
        if self._link:
            self._link.wake()

    def mark_ready(self, stream: Stream) -> None:
        if stream.id:
            self._streams.ready[stream] = None
        self.wake()

    def send_window(self, stream: Stream, limit: int) -> None:
        self._control.window(stream.id, limit)
        self.wake()

    def send_reset(self, stream: Stream, code: int, reason: str) -> None:
        """Queues the RESET of an open stream, which the stream then removes itself."""
        self._control.forget_window(stream.id)
        local = stream.make_header is not None
        self._queue_reset(stream.id, code, "" if code == f.CANCEL else reason, counted=local)
        self._streams.remove(stream, counts=local)

    def _queue_reset(self, id: int, code: int, reason: str, *, counted: bool) -> None:
        self._control.reset(id, f.encode_reset(code, reason), counted)
        if self._control.reset_bytes > MAX_RESET_BYTES + 1024 * (self.settings.max_streams + self.peer.max_streams):
            self.close(4008, RpcError(Code.RESOURCE_EXHAUSTED, "the peer does not read"))
        self.wake()

    def remove(self, stream: Stream) -> None:
        """Removes a stream that has closed."""
        self._control.forget_window(stream.id)
        self._streams.remove(stream, counts=False)
        self._departure.check()

    def stop_opening(self) -> None:
        """Opens no more streams, and tells the peer: there is another session for them, or none is needed."""
        if not self.drain.stopped and not self.error:
            self.drain.stopped = True
            self.send_goaway(NOTICE)
        self._departure.check()

    def leave(self) -> None:
        """Closes the session as soon as its streams are over."""
        self.drain.leaving = True
        self.stop_opening()

    def send_goaway(self, goaway: Goaway) -> None:
        self._control.goaway(encode_goaway(goaway))
        self.wake()

    @property
    def highest_remote(self) -> int:
        return self._streams.highest_remote

    def next_message(self) -> bytes | None:
        """Returns the next link message, None if nothing can be sent now."""
        if self._link is None:
            return None
        hello, self._hello = self._hello, None
        if hello and self._resuming or self._awaiting_hello and self._resuming:
            return hello
        may_resume = self.ref is not None or not self.established
        outbox = Outbox(self._streams, self._control, self._replay if may_resume else None, self)
        if hello:
            outbox.add(hello)
        if self.ref and (self._ack_due or self._received.pending):
            ack = f.encode_frame(f.ACK, 0, 0, encode_varint(self._received.count))
        else:
            ack = b""
        message = outbox.pack()
        if ack and (message or self._ack_due):
            message = ack + message
            self._received.ack()
            self._ack_due = False
            self._ack_timer.stop()
        if self._replay.bytes > 2 * self.settings.replay_limit + self.peer.max_frame:
            self.close(4008, RpcError(Code.RESOURCE_EXHAUSTED, "the peer does not acknowledge"))
            return None
        return message or None

    def _ping(self) -> None:
        self._control.ping()
        self.wake()

    def _make_ack_due(self) -> None:
        self._ack_due = True
        self.wake()
