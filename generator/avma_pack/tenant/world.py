"""One tenant as its providers see it: memory, time, faults, and the machines behind the virtual machines."""

from __future__ import annotations

import random
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avma_pack.tenant.clock import Clock
from avma_pack.tenant.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.fleet import SimulatedGuest
    from avma_pack.tenant.store import Store

_NAMESPACE = uuid.UUID("6f0a6b0e-6d0c-5c52-9a3e-4a7d0f6f2b11")
"""Of the ids that the tenant makes: the same things have the same ids in every run."""

PAGE_SIZE = 1000
SMALL_PAGE_SIZE = 3


@dataclass(slots=True)
class World:
    """Everything there is. `lock` is held while a request is answered or time passes.

    `guests` are the machines by lower-case id of their virtual machine. `blobs` are the packages by URL path.
    `fetch` downloads a package for a guest, over HTTPS as a guest does.
    """

    store: Store
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    guests: dict[str, SimulatedGuest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    blob_metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    fetch: Callable[[str], bytes] | None = None
    base_url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - chance, not secrecy
    on_change: list[Callable[[str], None]] = field(default_factory=list)
    """Told the lower-case id of every resource that a request wrote or deleted."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What a provider keeps besides resources, by a name of its own."""

    @property
    def page_size(self) -> int:
        """How many rows a page of a list has."""
        return SMALL_PAGE_SIZE if "small-pages" in self.faults.kinds else PAGE_SIZE

    def new_id(self, *parts: str) -> str:
        """A GUID that depends on nothing but `parts`."""
        return str(uuid.uuid5(_NAMESPACE, "\n".join(parts).lower()))
