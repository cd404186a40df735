"""A call with one request, which is made again where that does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

from .call import Exchange
from .conversation import Req, Res
from .metadata import Metadata
from .retry import Retries
from .status import Code, RpcError

MAX_UNPROCESSED = 3  # times that a call is made again because no server has processed it


class Attempts(Generic[Req, Res]):
    """
    One call, made once or several times.

    It is made again on another session if a server has certainly not processed it, and as the policy of the client says.
    retries is None if there is no policy, or none for this call. The deadline is by the clock of the loop.
    """

    def __init__(self, start: Callable[[], Exchange[Req, Res]], retries: Retries | None, deadline: float | None) -> None:
        self._start = start
        self._retries = retries
        self._deadline = deadline
        self._request: Req | None = None
        self._received = False
        self._unprocessed = self._failures = 0
        self._repeating = asyncio.Lock()
        self._stop = asyncio.Event()
        self._error: RpcError | None = None  # the status, once it is final
        self._exchange: Exchange[Req, Res] | None = None
        self._not_started: RpcError | None = None
        try:
            self._exchange = start()
        except RpcError as e:
            self._not_started = e  # the first use of the call handles it

    @property
    def over(self) -> bool:
        return self._error is not None or (self._exchange is not None and self._exchange.over and not self._exchange.error)

    @property
    def arrived_header(self) -> Metadata:
        return self._exchange.arrived_header if self._exchange else Metadata()

    @property
    def trailers(self) -> Metadata:
        return self._exchange.trailers if self._exchange else Metadata()

    async def send(self, message: Req) -> bool:
        self._request = message
        if not self._exchange:
            await self._current()
            return True
        try:
            return await self._exchange.send(message)
        except RpcError as e:
            await self._again(self._exchange, e)
            return True

    async def end(self) -> None:
        """Does nothing: the request was the last."""

    async def receive(self) -> Res | None:
        while True:
            exchange = await self._current()
            try:
                response = await exchange.receive()
            except RpcError as e:
                await self._again(exchange, e)
                continue
            self._received = True
            if response is None:
                self._count(None)
            return response

    async def header(self) -> Metadata:
        while True:
            exchange = await self._current()
            try:
                return await exchange.header()
            except RpcError as e:
                await self._again(exchange, e)

    def cancel(self, error: RpcError | None = None) -> None:
        self._error = self._error or error or RpcError(Code.CANCELED, "the caller has canceled the call")
        self._stop.set()
        if self._exchange:
            self._exchange.cancel(self._error)

    async def _current(self) -> Exchange[Req, Res]:
        """Returns the attempt that is being made."""
        if not self._exchange:
            assert self._not_started
            await self._again(None, self._not_started)
            assert self._exchange
        return self._exchange

    async def _again(self, failed: Exchange[Req, Res] | None, error: RpcError) -> None:
        """Makes the call again after an attempt has failed, or raises the error."""
        async with self._repeating:
            while failed is self._exchange:  # no other task has made it again
                if self._error or self._received or not await self._wait(failed, error):
                    self._finish(error)
                    assert self._error
                    raise self._error
                try:
                    self._exchange = failed = self._start()
                    if self._request is not None:
                        await self._exchange.send(self._request)
                    return
                except RpcError as e:
                    error = e

    async def _wait(self, failed: Exchange[Req, Res] | None, error: RpcError) -> bool:
        """Reports whether to make the call again, and waits until that is due."""
        if failed and self._is_unprocessed(failed, error):
            self._unprocessed += 1
            return True
        if not self._retries:
            return False
        self._failures += 1
        delay = self._retries.failed(error, self._failures)
        late = delay and self._deadline is not None and asyncio.get_running_loop().time() + delay >= self._deadline
        if delay is None or late:
            return False
        try:
            async with asyncio.timeout(delay):
                await self._stop.wait()
        except TimeoutError:
            pass
        return self._error is None

    def _finish(self, error: RpcError) -> None:
        if not self._error:
            self._error = error
            self._count(error)

    def _count(self, error: RpcError | None) -> None:
        if self._retries:
            self._retries.ended(error)

    def _is_unprocessed(self, failed: Exchange[Req, Res], error: RpcError) -> bool:
        """Reports whether another session may process the call. One that stays would refuse it again."""
        sent, stays = failed.stream.id > 0, failed.stream.session.may_open
        expired = error.code is not Code.UNAVAILABLE
        return error.unprocessed and sent and not stays and not expired and self._unprocessed < MAX_UNPROCESSED
