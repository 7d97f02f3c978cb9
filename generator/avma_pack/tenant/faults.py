"""Faults on request: what a client must live with. From a closed list, and reproducible by a seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["throttle", "server-error", "reset", "delay", "small-pages", "expired-token", "identity-lag"]

LOST_ANSWER = "lost-answer"
"""Counted besides `reset` where the request had taken effect before its connection broke."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults the tenant shows, and how often: `rate` is the share of requests, from 0 to 1.

    Login is always spared. By `rate` strike:

    - `throttle`: 429 with Retry-After (`retry_after_seconds`); storage says 503 ServerBusy, as it does in Azure.
    - `server-error`: 500 or 503.
    - `reset`: the connection breaks, half of the time after the request took effect, so that its answer is lost.
    - `delay`: the answer comes late, by `delay_seconds` of real time.
    - `expired-token`: 401 for a valid token, but for each token once at most, and not at the storage.

    The others hold at all times: `small-pages` cuts every list into pages of three, `identity-lag` lets a new identity
    be unknown for longer.

    `injected` counts what a client got to feel, by kind: of `small-pages` the pages that another one follows, of
    `identity-lag` the role assignments refused.
    """

    kinds: frozenset[FaultKind] = frozenset()
    rate: float = 0.2
    delay_seconds: float = 0.05
    retry_after_seconds: int = 1
    seed: int = 0
    injected: Counter[str] = field(default_factory=Counter, compare=False)

    def dice(self) -> random.Random:
        """The source of chance for one run of the tenant."""
        return random.Random(self.seed)  # noqa: S311 - chance, not secrecy
