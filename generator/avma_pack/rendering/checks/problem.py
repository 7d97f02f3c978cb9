"""What a check answers with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a payload.

    `check` is the stable id of the check, `where` the JSON path of the fault in the full resource (such as
    `properties.policyRule.if.allOf[1]`), `message` says what was found and what is expected.
    """

    check: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} ({self.check})"
