"""The tenant's own time: it stands still until somebody lets it pass, so that a day costs a second."""

from __future__ import annotations

import datetime as dt
import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START = dt.datetime(2026, 1, 5, 8, 0, tzinfo=dt.UTC)
"""A fixed beginning: the same fleet has the same history."""


class Clock:
    """Virtual time, and what is to happen at some point of it."""

    def __init__(self, now: dt.datetime = START) -> None:
        self.now = now
        self._due: list[tuple[dt.datetime, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay: dt.timedelta, event: Callable[[], None]) -> None:
        """Let `event` happen once, that much later; events of one moment keep their order."""
        heapq.heappush(self._due, (self.now + delay, next(self._order), event))

    def advance(self, duration: dt.timedelta) -> None:
        """Let time pass: everything that falls due happens at its own moment, also what that brings about."""
        end = self.now + duration
        while self._due and self._due[0][0] <= end:
            moment, _, event = heapq.heappop(self._due)
            self.now = max(self.now, moment)
            event()
        self.now = end

    def text(self) -> str:
        """The time as ARM writes it: ISO 8601 in UTC, with a Z."""
        return iso(self.now)


def iso(moment: dt.datetime) -> str:
    """A time as ARM writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
