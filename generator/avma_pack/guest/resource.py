"""The DSC resource WindowsActivationChannel: Test, Get and Set of one package on one machine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from avma_pack.guest.codes import Failure
from avma_pack.guest.package import read_parameters
from avma_pack.guest.queries import Guest
from avma_pack.guest.remediation import SET_TIMEOUT_SECONDS, invoke_remediation
from avma_pack.guest.verdict import get_blocker, get_verdict, select_refusal
from avma_pack.guest.wording import get_phrase_field, get_reason, get_reason_phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.guest.machine import Machine
    from avma_pack.guest.package import GuestPackage
    from avma_pack.guest.wording import Reason


class WindowsActivationChannel:
    """The resource on a machine; what a run leaves behind is in `machine` and `warnings`.

    Args:
        package: The package; its MOF gives the parameters.
        machine: What the resource reads and changes.
        parameters: Values by name that the guest assignment sets instead of the MOF's.

    Raises:
        ValueError: a value that its parameter does not allow.
    """

    def __init__(self, package: GuestPackage, machine: Machine, parameters: Mapping[str, str] | None = None) -> None:
        self.parameters = read_parameters({**package.parameters, **(parameters or {})})
        self._guest = Guest(package, machine)

    @property
    def machine(self) -> Machine:
        """The machine, as the resource left it."""
        return self._guest.machine

    @property
    def warnings(self) -> list[str]:
        """What Set warned of, in order: why it changed nothing."""
        return self._guest.warnings

    def test(self) -> bool:
        """Whether the machine is compliant. Never raises `Failure`."""
        return get_verdict(self._guest, self.parameters.activation_policy).compliant

    def get(self) -> list[Reason]:
        """The reasons: the finding, then what stands in the way of Set. Never raises `Failure`."""
        verdict = get_verdict(self._guest, self.parameters.activation_policy)
        blockers = get_blocker(self._guest, verdict, self.parameters)
        fields = get_phrase_field(self._guest, verdict, self.parameters)
        return get_reason(self._guest, [verdict.finding, *blockers], fields)

    def set(self) -> None:
        """Remediates the machine, or warns why not.

        Raises:
            Failure: a query failed before any change, or a change failed.
        """
        deadline = self.machine.clock.now + dt.timedelta(seconds=SET_TIMEOUT_SECONDS)
        verdict = get_verdict(self._guest, self.parameters.activation_policy)
        if verdict.compliant:
            return
        judged = verdict.judged
        if judged is None:
            raise Failure(verdict.failure)
        blockers = get_blocker(self._guest, verdict, self.parameters)
        refusal = select_refusal(blockers, self.parameters.kms_probe, licensed=judged.licensed)
        if refusal or judged.edition is None:  # without an edition, NoKmsClientKey or EvaluationEdition stands
            self._write_refusal(refusal, get_phrase_field(self._guest, verdict, self.parameters))
            return
        invoke_remediation(self._guest, judged, judged.edition, self.parameters, deadline)

    def _write_refusal(self, ids: list[str], fields: Mapping[str, str]) -> None:
        for blocker in ids:
            self.warnings.append(f"Nothing was changed. {get_reason_phrase(self._guest, blocker, fields)}")
