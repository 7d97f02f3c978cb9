"""A tenant that misbehaves: a rollout that is repeated until it succeeds reaches the same end."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, get_args

import pytest

from avma_pack.errors import AccessError, UnavailableError
from avma_pack.settings import Prerequisites, PrerequisitesMode
from avma_pack.tenant.faults import FaultKind, Faults

if TYPE_CHECKING:
    from pack_rollout import Rollout

DAY = dt.timedelta(days=1)
ATTEMPTS = 40


@pytest.fixture
def machines() -> int:
    return 60


@pytest.fixture(params=get_args(FaultKind))
def faults(request: pytest.FixtureRequest) -> Faults:
    return Faults(frozenset({request.param}), rate=0.2, delay_seconds=0.001, seed=5)


def test_repeated_until_it_succeeds_it_reaches_the_same_end(rollout: Rollout) -> None:
    for _ in range(ATTEMPTS):
        try:
            rollout.put(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
            break
        except (AccessError, UnavailableError):
            continue
    else:
        pytest.fail("the rollout never succeeded")
    rollout.tenant.pass_time(DAY)
    rollout.tenant.world.faults = Faults()
    answers = rollout.answers("AuditAvmaKey").values()
    found = sorted((row["machine"].rpartition("/")[2], row["status"]) for row in answers)
    assert len(found) > 30
    assert {status for _, status in found} == {"Compliant", "NonCompliant", "Pending"}
    store = rollout.tenant.world.store
    assert len(store.all("Microsoft.Authorization/policyDefinitions")) == 4
    assert len(store.all("Microsoft.Authorization/policyAssignments")) == 1
    assert len(store.all("Microsoft.Authorization/roleAssignments")) == 1
