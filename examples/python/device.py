"""
A device of the reverse example: it dials the hub, which then calls it.

    go run ./examples/reverse hub
    python3 examples/python/device.py ws://localhost:8080/rpc kitchen
    go run ./examples/reverse watch -name kitchen
"""

from __future__ import annotations

import asyncio
import math
import platform
import sys
import time
from collections.abc import AsyncIterator

from agent_parley import AgentServiceBase
from agent_pb2 import DescribeRequest, DescribeResponse, Reading, WatchRequest, WatchResponse
from parley import Client, RpcError, ServerContext, State


# snippet:device
class Device(AgentServiceBase):
    """Serves AgentService."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    async def Describe(self, request: DescribeRequest, context: ServerContext) -> DescribeResponse:
        uptime = int(time.monotonic() - self.started)
        return DescribeResponse(platform=f"python/{platform.machine()}", uptime_s=uptime)

    async def Watch(self, request: WatchRequest, context: ServerContext) -> AsyncIterator[WatchResponse]:
        number = 0
        while request.count == 0 or number < request.count:
            await asyncio.sleep((request.interval_ms or 1000) / 1000)
            number += 1
            yield WatchResponse(reading=Reading(number=number, temperature=temperature(number)))


# snippet:end


def temperature(number: int) -> float:
    """Simulates a sensor."""
    return round(20 + 5 * math.sin(number), 1)


async def main(url: str, name: str) -> None:
    async with Client(url, headers={"Agent-Name": name}) as client:
        Device().serve_on(client)
        await client.connect()
        async for state in client.states():
            print(state.value, flush=True)
            if state is State.IDLE:  # the hub has closed the connection for good
                return


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except RpcError as e:
        sys.exit(f"device: {e}")
    except KeyboardInterrupt:
        pass
