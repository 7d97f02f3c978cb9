"""`avma-pack demo` as its user runs it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ACTS = ["Audit", "Audit with prerequisites", "Remediation"]


def test_tables_tell_what_machines_answer_and_why_others_are_silent(run: Callable[..., Any]) -> None:
    shown = run("demo", "--machines", "120")
    assert shown.code == 0
    audit, prepared, remediated = shown.stdout.split("; Windows machines: ")[1:]
    for act in (audit, prepared, remediated):
        assert "the machine is exempt" in act
        assert "the machine is stopped" in act
        assert "AKS" not in act
    for gap in ("the machine has no system-assigned identity", "the machine lacks the extension"):
        assert gap in audit
        assert gap not in prepared
    assert "AvmaKeyInstalled" in audit
    assert "WindowsActivated" in remediated
    assert "what stands in the way of remediation" in remediated
    assert shown.stderr.startswith("Starting a tenant; machines: 120.")


def test_json_says_the_same_as_data(run: Callable[..., Any]) -> None:
    shown = run("demo", "--machines", "120", "--output", "json")
    acts = json.loads(shown.stdout)["acts"]
    assert [each["act"] for each in acts] == ACTS
    for act in acts:
        counted = [*act["findings"], *act["didNotReport"]]
        assert act["machines"] == sum(each["machines"] for each in counted) > 100


def test_a_seed_makes_a_fleet_of_its_own_and_the_same_again(run: Callable[..., Any]) -> None:
    one, same, other = (run("demo", "--machines", "120", "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert one == same != other


def test_the_truth_is_written_to_a_new_file(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("demo", "--machines", "40", "--truth", "truth.json").code == 0
    told = json.loads((tmp_path / "truth.json").read_text())["machines"]
    assert len({each["id"] for each in told}) == 40
    again = run("demo", "--machines", "40", "--truth", "truth.json")
    assert again.code != 0
    assert "truth.json: exists already" in again.stderr
    assert again.stdout == ""


def test_a_kept_tenant_ends_well_by_ctrl_c(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        if seconds == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    shown = run("demo", "--machines", "10", "--keep")
    assert shown.code == 0
    assert "The tenant stays at https://" in shown.stderr
    assert shown.stderr.endswith("The tenant is gone.\n")


def test_nothing_is_left_behind(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert run("demo", "--machines", "10").code == 0
    assert list(temporary.iterdir()) == []


def test_a_missing_extra_is_named(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "avma_pack.demo", raising=False)
    monkeypatch.delattr("avma_pack.demo", raising=False)
    for name in [name for name in sys.modules if name.startswith("avma_pack.tenant")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    shown = run("demo")
    assert shown.code == 2
    assert 'pip install "avma-pack[demo]"' in shown.stderr
    assert "uvicorn" in shown.stderr
