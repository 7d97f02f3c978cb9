"""A tenant, and the way to bring packs into it: what the demo does, with any settings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from avma_pack import demo
from avma_pack.catalog import load_catalog
from avma_pack.cloud import blobs
from avma_pack.deploy.rollout import publish, put_policies, remediate
from avma_pack.rendering.pack import build_pack
from avma_pack.settings import Packages, Settings, check

if TYPE_CHECKING:
    from pathlib import Path

    from avma_pack.cloud.arm import Arm
    from avma_pack.tenant import Tenant

HOUR = dt.timedelta(hours=1)


@dataclass
class Rollout:
    """A tenant, and the way to bring packs into it."""

    tenant: Tenant
    folder: Path
    arm: Arm

    def put(self, **tables: Any) -> str:
        """Build a pack with these settings, publish it, put its policies; return the assignment's id."""
        base_uri = f"{self.tenant.url}/blobs/demo/packages"
        settings = replace(Settings(packages=Packages(base_uri=base_uri)), **tables)
        build_pack(check(settings), load_catalog()).write(self.folder)
        credential, certificate = demo.sign_in(self.tenant), str(self.tenant.certificate)

        def upload(name: str, content: bytes, metadata: dict[str, str]) -> None:
            blobs.upload(f"{base_uri}/{name}", content, credential, metadata=metadata, certificate=certificate)

        publish(self.folder, upload)
        return put_policies(self.arm, self.folder, demo.TARGET, wait=self._wait)

    def _wait(self, seconds: float) -> None:
        self.tenant.pass_time(dt.timedelta(seconds=seconds))

    def remediate(self, *reference_ids: str) -> None:
        self.tenant.pass_time(HOUR)
        remediate(self.arm, self.folder, demo.TARGET, reference_ids)
        self.tenant.pass_time(2 * HOUR)

    def answers(self, configuration: str) -> dict[str, dict[str, Any]]:
        """What the guests said, by the lower-case id of the machine."""
        return {row["machine"]: row for row in demo.query(self.arm, demo.ANSWERS.replace("{name}", configuration))}
