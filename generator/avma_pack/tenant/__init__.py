"""An Azure tenant inside this process: Azure Policy, Resource Manager, Resource Graph, storage, and machines.

The unmodified SDKs talk to it over HTTPS on loopback. It is for demonstration and tests; what it answers follows
Microsoft's published specifications and documentation, and it refuses only what a source says that Azure refuses.
"""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING, Any

from avma_pack.tenant import fleet
from avma_pack.tenant.engine import Engine
from avma_pack.tenant.login import OWNER
from avma_pack.tenant.server import Server
from avma_pack.tenant.store import Store
from avma_pack.tenant.world import World

if TYPE_CHECKING:
    import datetime as dt

    from avma_pack.tenant.faults import Faults

__all__ = ["OWNER", "Tenant"]

TENANT_ID = "11111111-1111-1111-1111-111111111111"
ROOT_GROUP = "root"


class Tenant:
    """A running tenant with a fleet of machines. Close it, or use it in a `with` statement.

    `url` is the endpoint of everything (login, Resource Manager, storage), `certificate` the file to trust for it. The
    principal `OWNER`, whose secret is its name, may do everything. Time stands still but for `pass_time`.
    """

    def __init__(self, *, machines: int = 0, seed: int = 0, faults: Faults | None = None) -> None:
        self.world = World(Store(TENANT_ID, ROOT_GROUP))
        if faults:
            self.world.faults = faults
        fleet.seed_fleet(self.world, machines=machines, seed=seed)
        self.engine = Engine(self.world)
        self.server = Server(self.world)
        self.url = self.server.url
        self.certificate = self.server.certificate
        self._trust = ssl.create_default_context(cafile=str(self.certificate))
        self.world.fetch = self._fetch

    def __enter__(self) -> Tenant:
        """The tenant itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.close()

    def close(self) -> None:
        """Stop serving. What was in the tenant is gone."""
        self.server.close()

    def pass_time(self, duration: dt.timedelta) -> None:
        """Let virtual time pass: policies are evaluated, guests report, deployments complete."""
        with self.world.lock:
            self.world.clock.advance(duration)

    def exempt(self, assignment_id: str) -> None:
        """Exempt from an assignment the machines whose owners want that."""
        with self.world.lock:
            fleet.exempt_machines(self.world, assignment_id)

    def truth(self) -> list[dict[str, Any]]:
        """What is true of every machine, by its id, whatever the policies find."""
        return fleet.export_truth(self.world)

    def _fetch(self, url: str) -> bytes:
        """Download as a guest does."""
        with urllib.request.urlopen(url, context=self._trust, timeout=30) as response:  # noqa: S310 - https, loopback
            content: bytes = response.read()
        return content
