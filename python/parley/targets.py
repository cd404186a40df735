"""The URLs of a client: in which order they are dialed, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from .handshake import DialError, open_websocket
from .options import Options

STAGGER = 1.0  # seconds for which a URL may be silent before the next one is dialed too


class Targets:
    """The URLs of equivalent servers, with the times before which servers have asked not to be dialed."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._not_before: dict[str, float] = {}

    @property
    def several(self) -> bool:
        return len(self._options.urls) > 1

    def order(self, avoid: str, first: str) -> list[str]:
        """Returns all URLs, with an address that a server has named as the first, and one to avoid as the last."""
        urls = sorted(self._options.urls, key=lambda url: url == avoid)
        return [first, *(url for url in urls if url != first)] if first else urls

    def wait(self, urls: Sequence[str]) -> float:
        """Returns the seconds until one of the URLs may be dialed."""
        now = asyncio.get_running_loop().time()
        return min(max(0.0, self._not_before.get(url, 0.0) - now) for url in urls)

    async def dial(self, urls: Sequence[str], *, new_session: bool) -> tuple[str, Any]:
        """
        Dials URLs in their order, each when the one before has failed or is silent for a second.

        It returns the first that answers, with its WebSocket. If none does, it raises the DialError to act upon: one
        that may pass, if there is any.
        """
        due = [url for url in urls if not self.wait([url])] or list(urls)
        running: dict[asyncio.Task[Any], str] = {}
        errors: list[DialError] = []
        try:
            while due or running:
                if due:
                    url = due.pop(0)
                    running[asyncio.ensure_future(open_websocket(self._options, url, new_session=new_session))] = url
                done, _ = await asyncio.wait(running, timeout=STAGGER if due else None, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    url = running.pop(task)
                    try:
                        return url, task.result()
                    except DialError as e:
                        errors.append(e)
                        self._not_before[url] = asyncio.get_running_loop().time() + e.retry_after
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_abort)
        raise next((e for e in errors if e.retry), errors[0])


def _abort(task: asyncio.Task[Any]) -> None:
    """Drops a connection that another one was faster than."""
    if not task.cancelled() and not task.exception():
        task.result().transport.abort()
