"""Does what the lines of its standard input say, and reports on its standard output. It ends when its input ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

from conformance.v1.driver_pb2 import Ready, Report, Request
from google.protobuf import json_format

from .endpoint import Endpoint
from .report import report

MAX_LINE = 64 << 20  # bytes
READY = Ready(
    name="parley-python",
    roles=["dialer"],
    features=["gzip", "json", "large-frames", "leaving", "resumption", "serving"],
)


class Program:
    """The clients under test, by number."""

    def __init__(self) -> None:
        self._endpoints: dict[int, Endpoint] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def do(self, request: Request) -> None:
        """Starts what a request asks for, and does not wait for it."""
        id, kind = request.endpoint, request.WhichOneof("do")
        if kind == "connect":
            self._endpoints[id] = Endpoint(id, request.connect)
        endpoint = self._endpoints.get(id)
        if endpoint is None:
            raise ValueError(f"there is no endpoint {id}, and {kind} makes none")
        match kind:
            case "connect":
                pass
            case "call":
                endpoint.call(request.call)
            case "cancel":
                endpoint.cancel(request.cancel.call)
            case "half_close":
                endpoint.half_close(request.half_close.call)
            case "drain":
                endpoint.drain()
            case "close":
                closing = asyncio.ensure_future(self._endpoints.pop(id).close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            case _:
                raise ValueError(f"this client cannot {kind}")

    async def close(self) -> None:
        """Closes what is still open."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()), *self._closing)


async def main() -> None:
    logging.getLogger("parley").addHandler(logging.NullHandler())  # the runner sees how handlers fail
    lines = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    program = Program()
    report(0, Report(ready=READY))
    while line := await lines.readline():
        request = json_format.Parse(line, Request(), ignore_unknown_fields=True)
        try:
            program.do(request)
        except Exception as e:
            report(request.endpoint, Report(failure=str(e)))
        await asyncio.sleep(0)  # what was started takes its first step before the next line
    await program.close()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
