"""The examples, each as the program that it is."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import unittest

from .kit import Program
from .vectors import ROOT

EXAMPLES = ROOT / "examples" / "python"
PYTHONPATH = os.pathsep.join([str(ROOT / "python"), str(ROOT / "python" / "gen")])


class ExamplesTest(unittest.IsolatedAsyncioTestCase):
    async def serve(self, name: str, *args: str) -> str:
        """Starts a server, and returns its URL."""
        server = await Program.start(name, *args, "-addr", "127.0.0.1:0")
        self.addAsyncCleanup(server.stop)
        return (await server.line()).removeprefix("serving ")

    async def example(self, name: str, *args: str) -> Program:
        program = await Program.start(sys.executable, str(EXAMPLES / name), *args, env={"PYTHONPATH": PYTHONPATH})
        self.addAsyncCleanup(program.stop)
        return program

    async def test_the_hub_calls_a_device(self) -> None:
        url = await self.serve("reverse", "hub")
        device = await self.example("device.py", url, "kitchen")
        self.assertEqual(await device.line(), "ready")
        watch = await Program.start("reverse", "watch", "-url", url, "-name", "kitchen", "-every", "1ms", "-count", "2")
        self.assertEqual(await watch.line(), "kitchen: reading 1: 24.2 \u00b0C")
        self.assertEqual(await watch.line(), "kitchen: reading 2: 24.5 \u00b0C")
        await watch.stop()
        listed = await Program.start("reverse", "list", "-url", url)
        self.assertRegex(await listed.line(), f"kitchen: python/{platform.machine()}, up for [0-9]+ s")
        await listed.stop()

    async def test_members_of_a_chat_hear_each_other(self) -> None:
        url = await self.serve("chat", "server")
        ada = await self.example("chat.py", url, "lobby", "Ada")
        self.assertEqual(await ada.line(), "* here: Ada")
        ada.say("good morning")
        self.assertEqual(await ada.line(), "Ada: good morning")
        bob = await self.example("chat.py", url, "lobby", "Bob")
        self.assertEqual(await bob.line(), "* here: Ada, Bob")
        self.assertEqual(await bob.line(), "Ada: good morning")
        self.assertEqual(await ada.line(), "* Bob has come")
        bob.say("and to you")
        self.assertEqual(await ada.line(), "Bob: and to you")
        await bob.end()
        self.assertEqual(await ada.line(), "* Bob has left")

    async def test_a_name_that_is_taken_ends_the_chat(self) -> None:
        url = await self.serve("chat", "server")
        ada = await self.example("chat.py", url, "lobby", "Ada")
        await ada.line()
        self.assertEqual(await (await self.example("chat.py", url, "lobby", "Ada")).code(), 1)

    async def test_the_minimal_client_has_under_100_lines_and_calls(self) -> None:
        self.assertLess(len((EXAMPLES / "minimal.py").read_text().splitlines()), 100)
        url = await self.serve("ping", "server")
        text = "0123456789" * 1_500
        ping = await self.minimal(url, "Ping", {"text": text})
        self.assertEqual(json.loads(await ping.line()), {"text": text})
        count = await self.minimal(url, "CountUp", {"to": 3_000})
        for number in range(1, 3_001):
            self.assertEqual(json.loads(await count.line()), {"number": str(number)})
        failing = await self.minimal(url, "Ping", {"fail_code": 5})
        self.assertEqual(await failing.code(), 1)

    async def minimal(self, url: str, method: str, request: object) -> Program:
        return await self.example("minimal.py", url, f"parley.ping.v1.PingService/{method}", json.dumps(request))


class Plugin(unittest.IsolatedAsyncioTestCase):
    async def protoc(self, folder: str, *args: str) -> tuple[int, str]:
        """Runs protoc with the plugin, and returns its exit code and what it says."""
        env = {"PATH": os.pathsep.join([os.path.dirname(sys.executable), "/usr/bin", "/bin"])}
        plugin = f"--plugin=protoc-gen-python-parley={ROOT / 'python' / 'protoc-gen-python-parley'}"
        pipe = asyncio.subprocess.PIPE
        run = await asyncio.create_subprocess_exec(
            "protoc", plugin, "-I", folder, f"--python_out={folder}", *args, env=env, stderr=pipe
        )
        _, said = await run.communicate()
        return run.returncode or 0, said.decode()

    async def test_stubs_import_messages_of_other_files_and_nested_ones(self) -> None:
        import importlib
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/shop/v1")
            with open(f"{folder}/shop/v1/parts-list.proto", "w") as file:
                file.write('syntax = "proto3"; package shop.v1; message Parts { message Part { string name = 1; } }')
            with open(f"{folder}/shop/v1/shop.proto", "w") as file:
                file.write(
                    'syntax = "proto3"; package shop.v1; import "shop/v1/parts-list.proto";'
                    "service Shop { rpc Buy(Parts.Part) returns (stream Parts); }"
                )
            files = ("shop/v1/shop.proto", "shop/v1/parts-list.proto")
            self.assertEqual(await self.protoc(folder, f"--python-parley_out={folder}", *files), (0, ""))
            with open(f"{folder}/shop/v1/shop_parley.pyi") as generated:
                text = generated.read()
            self.assertIn("request: shop_v1_parts__list__pb2.Parts.Part", text)
            self.assertIn("import shop.v1.parts_list_pb2 as shop_v1_parts__list__pb2", text)
            sys.path.insert(0, folder)
            try:
                self.assertTrue(importlib.import_module("shop.v1.shop_parley").ShopStub)
            finally:
                sys.path.remove(folder)

    async def test_an_unknown_parameter_is_refused(self) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/a.proto", "w") as file:
                file.write('syntax = "proto3";')
            code, said = await self.protoc(folder, f"--python-parley_out=fast:{folder}", "a.proto")
        self.assertNotEqual(code, 0)
        self.assertIn("unknown parameter 'fast'", said)
