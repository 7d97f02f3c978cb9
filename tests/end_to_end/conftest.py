"""A tenant with a fleet, and a check of every request that a test sends to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avma_pack import demo
from avma_pack.cloud.arm import Arm
from avma_pack.tenant import Tenant
from avma_pack.tenant.faults import Faults
from contract_validator import is_validator_at_hand, recorded
from pack_rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from contract_validator import Validator


@pytest.fixture
def machines() -> int:
    return 300


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def specifications(request: pytest.FixtureRequest) -> Validator | None:
    """Microsoft's validator, where it and the specifications are at hand."""
    if not is_validator_at_hand():
        return None
    found: Validator = request.getfixturevalue("validator")
    return found


@pytest.fixture
def rollout(tmp_path: Path, machines: int, faults: Faults, specifications: Validator | None) -> Iterator[Rollout]:
    """Whatever a test sends and is answered must fit the specifications, but for answers that are out of order."""
    with (
        Tenant(machines=machines, seed=11, faults=faults) as tenant,
        Arm(tenant.url, demo.sign_in(tenant), certificate=str(tenant.certificate)) as arm,
        recorded(tenant.server) as exchanges,
    ):
        yield Rollout(tenant, tmp_path / "pack", arm)
    assert tenant.server.failures == []
    if specifications and faults.kinds <= {"small-pages", "identity-lag"}:
        assert len(exchanges) > 3
        assert specifications.problems(exchanges) == []
