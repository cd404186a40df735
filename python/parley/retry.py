"""Which failed calls are made again, and when."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from .retryinfo import retry_after
from .status import Code, RpcError


@dataclass(frozen=True)
class RetryPolicy:
    """
    Selects the failed calls that are made again: those with one request that have no response yet, and do no harm when
    repeated. The option idempotency_level in the .proto says so, or the option retryable of the call. The timeout of a
    call limits all its attempts together.

    max_attempts includes the first one. Each attempt follows after a random delay, of at most initial_backoff seconds
    at first and max_backoff later; the bound grows by multiplier. The time that the server asks for is added; above
    max_backoff, the call is not repeated.

    The budget keeps a client from flooding a server in trouble. It has budget_tokens at most. Each failure with one of
    the codes takes one, and each other call that could be repeated adds budget_ratio. Calls are repeated while more than half
    are left.
    """

    codes: Collection[Code] = (Code.UNAVAILABLE,)
    max_attempts: int = 4
    initial_backoff: float = 0.1
    max_backoff: float = 5.0
    multiplier: float = 2.0
    budget_tokens: float = 10.0
    budget_ratio: float = 0.1

    def __post_init__(self) -> None:
        checks = (
            ("codes", bool(self.codes) and Code.OK not in self.codes, "has to name codes other than OK"),
            ("max_attempts", self.max_attempts >= 2, "has to be at least 2"),
            ("initial_backoff", self.initial_backoff >= 0, "has to be at least 0"),
            ("max_backoff", self.max_backoff >= self.initial_backoff, "has to be at least initial_backoff"),
            ("multiplier", self.multiplier >= 1, "has to be at least 1"),
            ("budget_tokens", self.budget_tokens > 0, "has to be above 0"),
            ("budget_ratio", self.budget_ratio >= 0, "has to be at least 0"),
        )
        for name, holds, must in checks:
            if not holds:
                raise ValueError(f"RetryPolicy: {name} is {getattr(self, name)!r}, and {must}")


class Retries:
    """A policy with the tokens of a client."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._tokens = policy.budget_tokens

    def failed(self, error: RpcError, failures: int) -> float | None:
        """Counts a failure, that of the call with the given number. It returns the delay of the next attempt, or None."""
        policy = self._policy
        if error.code not in policy.codes:
            return None
        self._tokens = max(0.0, self._tokens - 1)
        after = retry_after(error) or 0.0
        if self._tokens <= policy.budget_tokens / 2 or failures >= policy.max_attempts or after > policy.max_backoff:
            return None
        bound = policy.initial_backoff * policy.multiplier ** min(failures - 1, 100)
        return after + random.uniform(0, min(bound, policy.max_backoff))

    def ended(self, error: RpcError | None) -> None:
        """Counts the end of a call."""
        if error is None or error.code not in self._policy.codes:
            self._tokens = min(self._policy.budget_tokens, self._tokens + self._policy.budget_ratio)
