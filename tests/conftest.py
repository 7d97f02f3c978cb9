"""Microsoft's validator, started once for all tests of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_validator import Validator, require_validator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def validator() -> Iterator[Validator]:
    """The validator; without the specifications or npm the test is skipped, which says so."""
    require_validator()
    started = Validator()
    yield started
    started.close()
