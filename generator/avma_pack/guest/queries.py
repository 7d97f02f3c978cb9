"""What the module asks of a machine; nothing else in it does, but for the calls that change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avma_pack.guest.codes import Failure, get_code_text, get_error_code, to_text
from avma_pack.guest.machine import CimError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avma_pack.guest.machine import Instance, Machine
    from avma_pack.guest.package import GuestPackage

WINDOWS_APPLICATION_ID = "55c92734-d682-4d71-983e-d6ec3f16059f"
"""ApplicationID of Windows itself, as slmgr.vbs selects it."""

CURRENT_VERSION_PATH = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
RECORD_PATH = r"HKLM:\SOFTWARE\avma-pack"
RECORD_VALUE = ("TimeUtc", "Step", "Result", "Code", "OldKey", "NewKey", "PackVersion")

QUERY_TIMEOUT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Guest:
    """The module's surroundings: the package that it lies in, the machine, and its warning stream."""

    package: GuestPackage
    machine: Machine
    warnings: list[str] = field(default_factory=list)


def get_cim_row(guest: Guest, class_name: str, properties: Sequence[str], filter_text: str = "") -> list[Instance]:
    """Queries a class. `Failure` where the query fails."""
    try:
        return guest.machine.get_cim_instance(
            class_name,
            properties=properties,
            operation_timeout_sec=QUERY_TIMEOUT_SECONDS,
            filter_text=filter_text or None,
        )
    except CimError as error:
        code = get_error_code(error)
        text = get_code_text(guest.package.meanings, code, str(error))
        raise Failure(f"The query of {class_name} failed with {text}.", code) from error


def get_windows_product(guest: Guest) -> list[Instance]:
    """The Windows products that have a key, without add-ons."""
    rows = get_cim_row(
        guest,
        "SoftwareLicensingProduct",
        (
            "ID",
            "Description",
            "PartialProductKey",
            "LicenseIsAddon",
            "LicenseStatus",
            "LicenseStatusReason",
            "VLActivationTypeEnabled",
            "KeyManagementServiceMachine",
            "KeyManagementServicePort",
        ),
        f"ApplicationID = '{WINDOWS_APPLICATION_ID}' AND PartialProductKey IS NOT NULL",
    )
    return [row for row in rows if row["PartialProductKey"] and not row["LicenseIsAddon"]]


def get_licensing_service(guest: Guest) -> Instance:
    """The licensing service. `Failure` where there is none."""
    properties = ("Version", "KeyManagementServiceMachine", "KeyManagementServicePort")
    for row in get_cim_row(guest, "SoftwareLicensingService", properties):
        return row
    raise Failure("SoftwareLicensingService has no instance.")


def get_registry_text(guest: Guest, path: str, name: str) -> str:
    """A registry value as text; '' where it cannot be read."""
    try:
        return to_text(guest.machine.get_item_property_value(path, name))
    except KeyError:
        return ""


def get_record(guest: Guest) -> dict[str, str] | None:
    """What was last written there, by the names of its values; None where this pack never changed the machine."""
    if not guest.machine.test_path(RECORD_PATH):
        return None
    record = {name: get_registry_text(guest, RECORD_PATH, name) for name in RECORD_VALUE}
    return record if record["Result"] else None
