"""The errors a user can meet: each class carries its exit code, each instance what to do next.

Everything that reaches a user is one of these; `avma_pack.cli.main` is the one place that turns them into a
message and an exit code. Any other exception is a bug of ours.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Self


class ExitCode(IntEnum):
    """The documented exit codes of `avma-pack`; `meaning` is the sentence of `--help` and README."""

    DONE = 0, "done"
    GATE_FAILED = (
        1,
        "a gate that you asked for failed: non-compliant machines, a plan with changes, a prompt answered no",
    )
    USAGE = 2, "wrong usage, settings, catalog, output folder or disk"
    ACCESS = 3, "login or permission"
    UNAVAILABLE = 4, "Azure is unavailable, or throttles to the end"
    BROKEN_PACK = 5, "a package, its hash or a policy is wrong"
    GUESTS_FAILED = 6, "remediation: guests failed, or were fixed but not activated"
    BUG = 70, "a bug of avma-pack; `avma-pack --debug` shows where"
    INTERRUPTED = 130, "interrupted; what was to be written is there as before or as built, always whole"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """An exit code with its meaning."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made


class AvmaPackError(Exception):
    """An expected failure: `str(error)` names the thing and the cause, `next_step` what to do about it."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class UsageError(AvmaPackError):
    """Options or arguments that do not fit together."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A settings file that cannot be read, or a value in it that is not allowed."""


class CatalogError(UsageError):
    """An entry of the OS catalog that is missing, malformed or contradicts another."""


class OutputError(UsageError):
    """An output folder or disk that cannot take the result."""


class PackageError(AvmaPackError):
    """A Guest Configuration package that is damaged or does not match what is said of it."""

    exit_code = ExitCode.BROKEN_PACK


class PolicyError(AvmaPackError):
    """A policy definition, initiative or assignment that Azure would refuse, or that would not work."""

    exit_code = ExitCode.BROKEN_PACK


class AccessError(AvmaPackError):
    """A login that fails, or a permission that is missing."""

    exit_code = ExitCode.ACCESS


class UnavailableError(AvmaPackError):
    """Azure cannot be reached, or throttles or fails to the end."""

    exit_code = ExitCode.UNAVAILABLE


class RefusedError(AvmaPackError):
    """Azure refuses a request as it is. `code` is Azure's own, such as `PolicyDefinitionNotFound`."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, code: str = "", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code
