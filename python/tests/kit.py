"""What the tests with a real server share: the server, and a proxy that breaks links."""

from __future__ import annotations

import asyncio
import contextlib
import os
import unittest
from collections.abc import Callable
from typing import Any

import ping_pb2
from parley import Client, Stub

from .vectors import ROOT

PING = ping_pb2.DESCRIPTOR.services_by_name["PingService"]
BIN = ROOT / ".out" / "python"


class Program:
    """A program that runs until its standard input ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, name: str, *args: str, env: dict[str, str] | None = None) -> Program:
        """Starts a program: a path, or the name of one of the repository."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            str(BIN / name), *args, stdin=pipe, stdout=pipe, env={**os.environ, **(env or {})}, limit=1 << 20
        )
        return cls(process)

    async def line(self) -> str:
        """Returns the next line that the program prints."""
        assert self._process.stdout
        return (await asyncio.wait_for(self._process.stdout.readline(), 20)).decode().rstrip("\n")

    def say(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(command.encode() + b"\n")

    async def end(self) -> None:
        """Ends the standard input of the program, and waits until it has ended."""
        assert self._process.stdin
        self._process.stdin.close()
        await self.code()

    async def code(self) -> int:
        """Waits for the end of the program, and returns its exit code."""
        async with asyncio.timeout(20):
            return await self._process.wait()

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()


class ServerTest(unittest.IsolatedAsyncioTestCase):
    """A test with a server in Go."""

    ping = PING

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)  # which would take most of the time
        self.server, self.url = await self.start_server()

    async def start_server(self) -> tuple[Program, str]:
        """Starts a server that ends with the test, and returns it with its URL."""
        server = await Program.start("testserver")
        self.addAsyncCleanup(server.stop)
        return server, (await server.line()).removeprefix("serving ")

    def client(self, url: str | list[str] = "", **options: Any) -> Client:
        """Returns a client that is closed with the test."""
        client = Client(url or self.url, **options)
        self.addAsyncCleanup(client.close)
        return client

    def stub(self, url: str = "", **options: Any) -> Stub:
        return self.client(url, **options).stub(PING)

    async def proxy(self, url: str = "") -> Proxy:
        """Returns a proxy in front of the server."""
        proxy = Proxy(url or self.url)
        await proxy.start()
        self.addAsyncCleanup(proxy.stop)
        return proxy

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for a condition."""
        try:
            async with asyncio.timeout(10):
                while not condition():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self.fail(f"not within 10 s: {what}")


class Proxy:
    """A TCP proxy on loopback. It can cut its connections, hold back bytes, and change its target."""

    def __init__(self, url: str) -> None:
        self.target = url
        self.url = ""
        self.connections = 0
        self.held = False
        self.cut_after: Callable[[], int | None] = lambda: None  # bytes to pass on a new connection
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/{self.target.rsplit('/', 1)[1]}"

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Breaks all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        host, _, port = self.target.removeprefix("ws://").split("/")[0].partition(":")
        try:
            out_reader, out_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        left = self.cut_after()
        budget = [left if left is not None else 1 << 62]
        pair = (writer, out_writer)
        self._writers.update(pair)
        for source, sink in ((reader, out_writer), (out_reader, writer)):
            task = asyncio.ensure_future(self._pump(source, sink, pair, budget))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        budget: list[int],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(4096):
                while self.held:
                    await asyncio.sleep(0.01)
                sink.write(data[: max(0, budget[0])])
                budget[0] -= len(data)
                await sink.drain()
                if budget[0] <= 0:
                    break
        for writer in pair:
            writer.close()
            self._writers.discard(writer)
