"""The changes: key, KMS host, activation, and the record of them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avma_pack.guest.codes import (
    SUCCESS,
    Failure,
    convert_to_hresult,
    get_code_text,
    get_error_code,
    get_last_five,
    same,
    to_text,
)
from avma_pack.guest.machine import CimError
from avma_pack.guest.queries import RECORD_PATH, RECORD_VALUE, get_licensing_service, get_windows_product
from avma_pack.guest.verdict import test_licensed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.guest.machine import Instance
    from avma_pack.guest.package import Edition, Parameters
    from avma_pack.guest.queries import Guest
    from avma_pack.guest.verdict import JudgedMachine

METHOD_TIMEOUT_SECONDS = 120
SET_TIMEOUT_SECONDS = 360
TRANSIENT_HRESULT = ("0xC004F074", "0x800705B4", "0x8007232B")
"""A KMS host that did not answer, or a name that could not be looked up, may do so a moment later."""


@dataclass(slots=True)
class Attempt:
    """One run of Set. `tried`: a method was called, so that a record is due; keys are last fives."""

    service: Instance
    deadline: dt.datetime
    old_key: str
    new_key: str
    tried: bool = False
    step: str = ""


def invoke_remediation(
    guest: Guest, judged: JudgedMachine, edition: Edition, parameters: Parameters, deadline: dt.datetime
) -> None:
    """Brings the machine to its KMS client key, the KMS host and an activated Windows.

    Raises:
        Failure: a change failed; the message names step, HRESULT and meaning.
    """
    product = judged.product
    attempt = Attempt(
        service=get_licensing_service(guest),
        deadline=deadline,
        old_key=to_text(product["PartialProductKey"]) if product is not None else "",
        new_key=get_last_five(edition.kms_client_key),
    )
    try:
        if product is None or not same(attempt.old_key, attempt.new_key):
            product = install_kms_client_key(guest, attempt, edition.kms_client_key)
        if not test_kms_endpoint(product, attempt.service, parameters):
            product = register_kms_endpoint(guest, attempt, parameters)
        attempt.step = "Activate"
        if not test_licensed(product):
            invoke_activation(guest, attempt, product)
        confirm_activation(guest, attempt)
    except Failure as failure:
        if attempt.tried:
            write_record(guest, attempt, "Failed", failure.code)
        raise Failure(f"Step {attempt.step}: {failure}", failure.code) from failure
    write_record(guest, attempt, "Success", SUCCESS)


def install_kms_client_key(guest: Guest, attempt: Attempt, product_key: str) -> Instance:
    """Installs the key as slmgr /ipk does and returns the product that it belongs to: another instance."""
    attempt.step = "InstallProductKey"
    invoke_licensing_method(guest, attempt, attempt.service, "InstallProductKey", {"ProductKey": product_key})
    invoke_licensing_method(guest, attempt, attempt.service, "RefreshLicenseStatus")
    return get_kms_client_product(guest, attempt.new_key)


def test_kms_endpoint(product: Instance, service: Instance, parameters: Parameters) -> bool:
    """Whether the KMS host and port in force are the wanted ones: the product's, else the service's."""
    setting = product if product["KeyManagementServiceMachine"] else service
    port = to_text(setting["KeyManagementServicePort"])
    if port in ("", "0"):
        port = "1688"
    return same(setting["KeyManagementServiceMachine"], parameters.kms_server) and port == parameters.kms_port


def register_kms_endpoint(guest: Guest, attempt: Attempt, parameters: Parameters) -> Instance:
    """Sets KMS host and port on the service; clears what the product names itself and would outrank them."""
    service = attempt.service
    host = {"MachineName": parameters.kms_server}
    port = {"PortNumber": int(parameters.kms_port)}
    attempt.step = "SetKeyManagementServiceMachine"
    invoke_licensing_method(guest, attempt, service, "ClearKeyManagementServiceMachine")
    invoke_licensing_method(guest, attempt, service, "ClearKeyManagementServicePort")
    invoke_licensing_method(guest, attempt, service, "SetKeyManagementServiceMachine", host)
    invoke_licensing_method(guest, attempt, service, "SetKeyManagementServicePort", port)
    product = get_kms_client_product(guest, attempt.new_key)
    if product["KeyManagementServiceMachine"] and not test_kms_endpoint(product, service, parameters):
        invoke_licensing_method(guest, attempt, product, "ClearKeyManagementServiceMachine")
        invoke_licensing_method(guest, attempt, product, "ClearKeyManagementServicePort")
    return product


def invoke_activation(guest: Guest, attempt: Attempt, product: Instance) -> None:
    """Activates the product as slmgr /ato does; after a transient error again, 10 and then 20 s later."""
    for pause_seconds in (10, 20, 0):
        try:
            invoke_licensing_method(guest, attempt, product, "Activate")
        except Failure as failure:
            if pause_seconds == 0 or failure.code not in TRANSIENT_HRESULT:
                raise
            if get_seconds_left(guest, attempt) <= pause_seconds:
                raise
        else:
            return
        guest.machine.start_sleep(pause_seconds)


def get_seconds_left(guest: Guest, attempt: Attempt) -> int:
    """Whole seconds that are left of Set's time."""
    return math.floor((attempt.deadline - guest.machine.clock.now).total_seconds())


def confirm_activation(guest: Guest, attempt: Attempt) -> None:
    """Reads back whether Windows is licensed now; `Failure` with the reason that Windows gives if not."""
    invoke_licensing_method(guest, attempt, attempt.service, "RefreshLicenseStatus")
    product = get_kms_client_product(guest, attempt.new_key)
    if not test_licensed(product):
        code = convert_to_hresult(product["LicenseStatusReason"])
        text = get_code_text(guest.package.meanings, code)
        raise Failure(f"Windows is still not licensed: {text}.", code)


def get_kms_client_product(guest: Guest, last_five: str) -> Instance:
    """The Windows product whose key ends in these five characters; `Failure` where there is none."""
    for product in get_windows_product(guest):
        if same(product["PartialProductKey"], last_five):
            return product
    raise Failure(f"No Windows product has the key that ends in {last_five}.")


def invoke_licensing_method(
    guest: Guest,
    attempt: Attempt,
    target: Instance,
    name: str,
    arguments: Mapping[str, str | int] | None = None,
) -> None:
    """Calls a method of a licensing object, within what is left of Set's time; `Failure` where it fails."""
    seconds_left = get_seconds_left(guest, attempt)
    if seconds_left < 1:
        raise Failure(f"No time is left for {name}.")
    attempt.tried = True
    try:
        result = guest.machine.invoke_cim_method(
            target, name, arguments, operation_timeout_sec=min(METHOD_TIMEOUT_SECONDS, seconds_left)
        )
    except CimError as error:
        code = get_error_code(error)
        text = get_code_text(guest.package.meanings, code, str(error))
        raise Failure(f"{name} failed with {text}.", code) from error
    code = convert_to_hresult(result)
    if code != SUCCESS:
        raise Failure(f"{name} failed with {get_code_text(guest.package.meanings, code)}.", code)


def write_record(guest: Guest, attempt: Attempt, result: str, code: str) -> None:
    """Leaves in the registry what was done, for Get to quote."""
    machine = guest.machine
    record = {
        "TimeUtc": machine.clock.now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Step": attempt.step,
        "Result": result,
        "Code": code,
        "OldKey": attempt.old_key,
        "NewKey": attempt.new_key,
        "PackVersion": guest.package.catalog.pack_version,
    }
    if not machine.test_path(RECORD_PATH):
        machine.new_item(RECORD_PATH)
    for name in RECORD_VALUE:
        machine.set_item_property(RECORD_PATH, name, record[name])
