"""Microsoft's validator, started once for all tests of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_validator import Validator, is_validator_at_hand, require_validator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def validator() -> Iterator[Validator]:
    """The validator; without the specifications or npm the test is skipped, which says so."""
    require_validator()
    started = Validator()
    yield started
    started.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what end-to-end tests do without where the validator is missing: they are worth running all the same."""
    if not is_validator_at_hand():
        terminalreporter.write_line("Requests of end-to-end tests were not checked against Microsoft's specifications.")
