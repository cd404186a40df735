"""Links: a WebSocket that carries a session."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.exceptions import ConnectionClosed

from .closecode import LOST, Reconnect, close_action, standard_code
from .session import Session
from .status import Code, RpcError
from .varint import cut_text

WRITE_TIMEOUT = 30.0  # seconds without progress after which the link is lost
CLOSE_TIMEOUT = 2.0
_log = logging.getLogger("parley")


class WebSocketLink:
    """The link of a session over a WebSocket of the library websockets."""

    def __init__(self, websocket: Any, session: Session) -> None:
        self._websocket = websocket
        self._session = session
        self._ready = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._ready.set()

    def close(self, code: int, reason: str) -> None:
        self._closing = self._closing or asyncio.ensure_future(self._close(code, reason))

    def drop(self) -> None:
        self._websocket.transport.abort()

    async def run(self) -> None:
        """Carries the session until the WebSocket has ended."""
        writer = asyncio.ensure_future(self._write())
        try:
            while True:
                self._session.receive(await self._websocket.recv())
        except ConnectionClosed as e:
            code, reason = closed_by(e)
            self._session.link_closed(code, reason, close_action(code)[1] is not Reconnect.NEVER)
        except Exception:
            self._fail()
        finally:
            writer.cancel()
            self._session.link_closed(LOST, "the client stops")
            await asyncio.gather(writer, return_exceptions=True)
            if self._closing:
                await asyncio.shield(self._closing)
            else:
                self.drop()

    def _fail(self) -> None:
        """Ends the session after a fault of this client, so that no call waits for ever."""
        _log.exception("the session ends")
        self._session.close(1011, RpcError(Code.INTERNAL, "the client has failed"))

    async def _write(self) -> None:
        try:
            await self._write_messages()
        except Exception:
            self._fail()

    async def _write_messages(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while message := self._session.next_message():
                try:
                    async with asyncio.timeout(WRITE_TIMEOUT):
                        await self._websocket.send(message)
                except ConnectionClosed:
                    return  # the reader learns why
                except TimeoutError:
                    return self._session.drop_link("the peer does not read")

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._websocket.close(code, cut_text(reason, 123).decode())
        except TimeoutError:
            pass
        self.drop()


def closed_by(e: ConnectionClosed) -> tuple[int, str]:
    """Returns the close code and the reason that a session acts upon."""
    received, sent = e.rcvd, e.sent
    if sent and not (received and e.rcvd_then_sent):
        # The library has found the fault. Of broken framing it says 1002: for the session the link is lost.
        return (sent.code, sent.reason) if sent.code in (1003, 1007, 1009) else (LOST, sent.reason)
    if received is None:
        return LOST, ""
    return standard_code(received.code), received.reason
