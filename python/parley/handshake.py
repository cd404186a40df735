"""The handshake: opens a WebSocket, and says what it means if that fails (PROTOCOL.md, section 3)."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from websockets.exceptions import InvalidHandshake, InvalidHeader, NegotiationError

from .frame import MAX_LINK_OVERHEAD
from .options import Options
from .status import Code, RpcError

VERSION = "parley.v1"
NEW_SESSION = "parley.new"
OPEN_TIMEOUT = 10.0  # seconds
CLOSE_TIMEOUT = 1.0
CREDENTIALS_TIMEOUT = 30.0
MAX_RETRY_AFTER = 60.0

# The API of websockets since release 13, or the one before.
_MODERN = importlib.util.find_spec("websockets.asyncio") is not None
_client: Any = importlib.import_module("websockets.asyncio.client" if _MODERN else "websockets.legacy.client")


class DialError(RpcError):
    """
    The error of a dial.

    retry reports whether it makes sense to dial again without a change, and resume whether a session can still be
    resumed. retry_after is the time in seconds that the server has asked for.
    """

    def __init__(self, code: Code, message: str, *, http: int = 0, versions: str = "", retry_after: float = 0) -> None:
        super().__init__(code, message, unprocessed=True)
        self.retry = code == Code.UNAVAILABLE
        self.resume = self.retry or (http == 400 and not versions)
        self.retry_after = retry_after


class _Redirected(Exception):
    """A redirect, which is not followed: it could take credentials elsewhere."""


class _Connect(_client.connect):  # type: ignore[misc] # its base is chosen at run time
    """A connect that follows no redirect, in both APIs."""

    MAX_REDIRECTS_ALLOWED = 1

    def handle_redirect(self, uri: str) -> None:
        raise _Redirected(uri)

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def open_websocket(options: Options, url: str, *, new_session: bool) -> Any:
    """Asks for credentials, and opens a WebSocket to a URL. It raises DialError."""
    headers = dict(options.headers)
    if options.credentials:
        headers.update(await _ask(options))
    extra: dict[str, Any] = {"additional_headers" if _MODERN else "extra_headers": headers}
    if url.startswith("wss:"):
        extra["ssl"] = options.ssl or ssl.create_default_context()
    try:
        ws = await _Connect(
            url,
            subprotocols=[VERSION, NEW_SESSION] if new_session else [VERSION],
            compression=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=None,
            max_size=options.settings.max_frame + MAX_LINK_OVERHEAD,
            max_queue=4,
            **extra,
        )
    except _Redirected as e:
        raise DialError(Code.UNIMPLEMENTED, f"{url} redirects to {e}: use that URL if it is right") from None
    except (OSError, asyncio.TimeoutError, InvalidHandshake, EOFError) as e:
        raise dial_error(url, e) from None
    if ws.subprotocol != VERSION:
        await ws.close(1002, "no Parley subprotocol was selected")
        raise DialError(Code.UNIMPLEMENTED, f"{url} is a WebSocket server but does not speak {VERSION}")
    return ws


async def _ask(options: Options) -> Mapping[str, str]:
    assert options.credentials
    try:
        async with asyncio.timeout(CREDENTIALS_TIMEOUT):
            return await options.credentials()
    except RpcError as e:
        error = DialError(e.code, f"credentials: {e.message}")
        raise error from e
    except TimeoutError:
        raise DialError(Code.UNAVAILABLE, "credentials: the function has not returned within 30 s") from None
    except Exception as e:
        raise DialError(Code.UNAVAILABLE, f"credentials: {e!r}") from e


def dial_error(url: str, e: BaseException) -> DialError:
    """Returns what a failed handshake means to the calls that wait for it."""
    response: Any = getattr(e, "response", e)
    status = getattr(response, "status_code", 0)
    if not status:
        if isinstance(e, InvalidHeader) and e.name == "Location":
            return DialError(Code.UNIMPLEMENTED, f"{url} redirects, and does not say where")
        if isinstance(e, NegotiationError):
            return DialError(Code.UNIMPLEMENTED, f"{url} selected a protocol that was not offered: {e}")
        return DialError(Code.UNAVAILABLE, f"cannot connect to {url}: {e or type(e).__name__}")
    headers: Mapping[str, str] = response.headers
    versions = headers.get("Parley-Versions", "")
    what = f"{url} answered HTTP {status}"
    if versions:
        what += f": it speaks {versions}, and this client {VERSION}"
    code = http_code(status, versions)
    return DialError(code, what, http=status, versions=versions, retry_after=retry_after(headers.get("Retry-After", "")))


def http_code(status: int, versions: str) -> Code:
    """Returns what an HTTP status other than 101 means to the calls."""
    if status == 400:
        return Code.UNIMPLEMENTED if versions else Code.INTERNAL
    if status in (408, 429) or 500 <= status < 600:
        return Code.UNAVAILABLE
    if status in (404, 405, 426) or 200 <= status < 400:
        return Code.UNIMPLEMENTED
    return {401: Code.UNAUTHENTICATED, 403: Code.PERMISSION_DENIED}.get(status, Code.UNKNOWN)


def retry_after(value: str) -> float:
    """Returns the seconds that a Retry-After header asks for, at most 60; 0 if it is absent or malformed."""
    if value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        return min(max(parsedate_to_datetime(value).timestamp() - time.time(), 0), MAX_RETRY_AFTER)
    except (TypeError, ValueError):
        return 0
