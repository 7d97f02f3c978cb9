"""Faults on request: what a client must live with. From a closed list, and reproducible by a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["throttle", "server-error", "reset", "delay", "small-pages", "expired-token", "identity-lag"]


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults the tenant shows, and how often: `rate` is the share of requests, from 0 to 1.

    `throttle` answers 429 with Retry-After, `server-error` 500 or 503, `reset` breaks the connection, `delay` answers
    late (seconds), `small-pages` cuts every list into pages of three, `expired-token` refuses a valid token once with
    401, `identity-lag` lets a new identity be unknown for longer.
    """

    kinds: frozenset[FaultKind] = frozenset()
    rate: float = 0.2
    delay_seconds: float = 0.05
    seed: int = 0

    def dice(self) -> random.Random:
        """The source of chance for one run of the tenant."""
        return random.Random(self.seed)  # noqa: S311 - chance, not secrecy
