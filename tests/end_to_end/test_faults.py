"""A tenant that misbehaves: a rollout succeeds at its first attempt and reaches the same end as with a good one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, get_args

import pytest
from azure.storage.blob import ExponentialRetry

from avma_pack.settings import Prerequisites, PrerequisitesMode
from avma_pack.tenant.clock import START
from avma_pack.tenant.faults import LOST_ANSWER, FaultKind, Faults

if TYPE_CHECKING:
    from pack_rollout import Rollout

DAY = dt.timedelta(days=1)
IDENTITY_WAIT = dt.timedelta(seconds=2 + 4 + 6 + 8 + 10)
"""What a client waits that is refused five times (`identities.LONG_LAG`)."""


@pytest.fixture
def machines() -> int:
    return 60


@pytest.fixture(params=get_args(FaultKind))
def faults(request: pytest.FixtureRequest) -> Faults:
    return Faults(frozenset({request.param}), rate=0.3, delay_seconds=0.001, seed=5)


def test_a_rollout_succeeds_at_once_and_reaches_the_same_end(
    rollout: Rollout, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Microsoft's client of storage waits 15 seconds and more between attempts.
    monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *_: 0)
    (kind,) = faults.kinds
    rollout.put(prerequisites=Prerequisites(mode=PrerequisitesMode.OWN))
    waited = rollout.tenant.world.clock.now - START
    felt = faults.injected.copy()
    rollout.tenant.pass_time(DAY)
    answers = rollout.answers("AuditAvmaKey").values()
    found = sorted((row["machine"].rpartition("/")[2], row["status"]) for row in answers)
    assert len(found) > 30
    assert {status for _, status in found} == {"Compliant", "NonCompliant", "Pending"}
    store = rollout.tenant.world.store
    assert len(store.all("Microsoft.Authorization/policyDefinitions")) == 4
    assert len(store.all("Microsoft.Authorization/policyAssignments")) == 1
    assert len(store.all("Microsoft.Authorization/roleAssignments")) == 1
    # Lists are asked for after the rollout alone.
    assert (faults.injected if kind == "small-pages" else felt)[kind] > 0
    if kind == "reset":
        assert 0 < felt[LOST_ANSWER] < felt[kind], "before and after a write took effect"
    if kind == "identity-lag":
        assert (felt[kind], waited) == (5, IDENTITY_WAIT)
