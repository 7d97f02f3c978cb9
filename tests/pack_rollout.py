"""A tenant, and the way to bring packs into it: what the demo does, with any settings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from avma_pack import demo
from avma_pack.deploy.rollout import remediate
from avma_pack.settings import Settings

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
        return demo.roll_out(self.arm, self.tenant, self.folder, replace(Settings(), **tables))

    def remediate(self, *reference_ids: str) -> None:
        self.tenant.pass_time(HOUR)
        remediate(self.arm, self.folder, demo.TARGET, reference_ids)
        self.tenant.pass_time(2 * HOUR)

    def answers(self, configuration: str) -> dict[str, dict[str, Any]]:
        """What the guests said, by the lower-case id of the machine."""
        return demo.answers_of(self.arm, configuration)
