"""What the evaluator refuses: a rule or expression that it cannot decide is an error, never a silent false."""

from __future__ import annotations

from avma_pack.errors import PolicyError

_NEXT_STEP = "Correct the rule, or keep it away from this command: Azure itself may understand it."


class RuleError(PolicyError):
    """A policy rule or template expression that is malformed, or outside what this evaluator knows.

    `str(error)` begins with the place, as far as it is known, and names what is wrong.
    """

    def __init__(self, message: str, *, where: str = "", next_step: str = _NEXT_STEP) -> None:
        super().__init__(f"{where}: {message}" if where else message, next_step=next_step)
        self.where = where

    def within(self, where: str) -> RuleError:
        """The same error, told from the place `where`, unless it already names that or a place inside it."""
        if self.where.startswith(where):
            return self
        return RuleError(str(self), where=where, next_step=self.next_step)
