"""The options of a client."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .codec import CODECS
from .compression import NAMES
from .hello import CLIENT_SETTINGS, Settings
from .interceptor import Interceptor
from .retry import RetryPolicy

Credentials = Callable[[], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True)
class Options:
    """
    The options of a client.

    url is the URL of a server, or a list of those of several ones that are equivalent: the first that answers is used.
    credentials returns headers of the handshake. It is asked before each dial, so it can return a fresh token. headers
    are sent with every handshake. ssl is the context for wss. codec (proto or json) and compression (gzip or empty)
    hold for calls that do not choose themselves. wait_for_ready makes calls wait for a connection where they would
    fail with UNAVAILABLE. settings has the limits of what this end receives. call_interceptors are around the calls of
    this end, handler_interceptors around those that it serves; the first is outermost. retry says which failed calls
    are made again.
    """

    url: str | Sequence[str]
    credentials: Credentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ssl: ssl.SSLContext | None = None
    codec: str = "proto"
    compression: str = ""
    wait_for_ready: bool = False
    settings: Settings = CLIENT_SETTINGS
    call_interceptors: Sequence[Interceptor] = ()
    handler_interceptors: Sequence[Interceptor] = ()
    retry: RetryPolicy | None = None

    @property
    def urls(self) -> Sequence[str]:
        return [self.url] if isinstance(self.url, str) else self.url

    def check(self) -> None:
        """Raises ValueError if an option is wrong."""
        if not self.urls:
            raise ValueError("url: the list is empty, and has to have a URL")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme not in ("ws", "wss") or not parts.hostname:
                raise ValueError(f"url {url!r}: it has to be ws://HOST/PATH or wss://HOST/PATH")
            if self.ssl and parts.scheme == "ws":
                raise ValueError(f"url {url!r}: ssl needs the scheme wss")
        if wrong := self.settings.check():
            raise ValueError(f"settings: {wrong}")
        check_names(self.codec, self.compression)


def check_names(codec: str, compression: str) -> None:
    """Raises ValueError if this client has no such codec or compression."""
    if codec not in CODECS:
        raise ValueError(f"codec {codec!r} is unknown: known are {', '.join(CODECS)}")
    if compression and compression not in NAMES:
        raise ValueError(f"compression {compression!r} is unknown: known are {', '.join(NAMES)}")
