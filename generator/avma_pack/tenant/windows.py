"""Windows of a fleet, in every state of licensing that the pack meets.

A state is the `machine` and `methods` of the guest's truth table: what WMI, registry and network show, and what comes
of the calls that change a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.releases import Edition

AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
KMS_HOST = "azkms.core.windows.net"

_APPLICATION_ID = "55c92734-d682-4d71-983e-d6ec3f16059f"
_CURRENT_VERSION = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_LICENSED, _NOTIFICATION = 1, 5

_NO_KMS_ANSWERED = 0xC004F074
_NO_HYPER_V = 0xC004FD01
_HOST_NOT_ACTIVATED = 0xC004FD02
_TOKENS_CORRUPT = 0xC004E015

Row = dict[str, Any]
Outcomes = dict[str, list[Row]]


def describe(edition: Edition, licensing: str) -> tuple[dict[str, Any], Outcomes]:
    """The machine and what comes of its methods."""
    make = _STATES.get(licensing)
    if make is None:
        raise ValueError(f"there is no Windows in the state '{licensing}'")
    return make(edition)


def _product(edition: Edition, channel: str, last_five: str, status: int, reason: int = 0, **other: Any) -> Row:
    return {
        "ID": other.pop("product_id", "A"),
        "Name": f"Windows(R), {edition.edition_id} edition",
        "Description": f"Windows(R) Operating System, {channel} channel",
        "ApplicationID": _APPLICATION_ID,
        "PartialProductKey": last_five,
        "LicenseIsAddon": False,
        "LicenseStatus": status,
        "LicenseStatusReason": reason,
        "VLActivationTypeEnabled": other.pop("activation_type", 0),
        "KeyManagementServiceMachine": "",
        "KeyManagementServicePort": 0,
    }


def _machine(
    edition: Edition,
    products: list[Row],
    *,
    host: str = "",
    tag: str = AZURE_ASSET_TAG,
    reachable: bool = True,
    edition_id: str = "",
) -> dict[str, Any]:
    return {
        "cim": {
            "Win32_OperatingSystem": [
                {
                    "Name": f"{edition.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition1",
                    "BuildNumber": edition.build,
                    "OperatingSystemSKU": edition.sku,
                    "ProductType": edition.product_type,
                    "Caption": edition.caption,
                }
            ],
            "Win32_SystemEnclosure": [{"Tag": "System Enclosure 0", "SMBIOSAssetTag": tag}],
            "SoftwareLicensingService": [
                {
                    "Version": edition.version,
                    "KeyManagementServiceMachine": host,
                    "KeyManagementServicePort": 1688 if host else 0,
                }
            ],
            "SoftwareLicensingProduct": products,
        },
        "registry": {_CURRENT_VERSION: {"EditionID": edition_id or edition.edition_id}},
        "tcp": {f"{KMS_HOST}:1688": "open" if reachable else "silent"},
    }


def _kms_client(edition: Edition, status: int, reason: int = 0, **other: Any) -> Row:
    return _product(edition, "VOLUME_KMSCLIENT", edition.kms_last_five, status, reason, product_id="B", **other)


def _outcomes(edition: Edition, *activations: int) -> Outcomes:
    """Installing the key works; each activation ends in an HRESULT, 0 for success, the last again and again."""
    licensed = {"SoftwareLicensingProduct": [_kms_client(edition, _LICENSED)]}
    unlicensed = {"SoftwareLicensingProduct": [_kms_client(edition, _NOTIFICATION, _NO_KMS_ANSWERED)]}
    return {
        "SoftwareLicensingService.InstallProductKey": [{"returns": 0, "then": unlicensed}],
        "SoftwareLicensingProduct.Activate": [
            {"hresult": f"0x{code:08X}"} if code else {"returns": 0, "then": licensed} for code in activations
        ],
    }


def _avma(edition: Edition, status: int = _LICENSED, reason: int = 0) -> Row:
    return _product(edition, "VIRTUAL_MACHINE_ACTIVATION", edition.avma_last_five, status, reason)


def _lapsed(edition: Edition, reason: int = _HOST_NOT_ACTIVATED) -> Row:
    return _avma(edition, _NOTIFICATION, reason)


def _contradicting(edition: Edition) -> str:
    """An EditionID that is not that of the SKU: a conversion of editions that went halfway."""
    return "ServerStandard" if "Datacenter" in edition.edition_id else "ServerDatacenter"


def _unreadable(edition: Edition) -> tuple[dict[str, Any], Outcomes]:
    """The licensing service does not answer."""
    machine = _machine(edition, [])
    machine["cim"]["SoftwareLicensingProduct"] = {"hresult": "0x800706BA", "message": "The RPC server is unavailable."}
    return machine, {}


_STATES: dict[str, Callable[[Edition], tuple[dict[str, Any], Outcomes]]] = {
    "avma-licensed": lambda e: (_machine(e, [_avma(e)]), _outcomes(e, 0)),
    "avma-lapsed": lambda e: (_machine(e, [_lapsed(e)]), _outcomes(e, 0)),
    "avma-wrong-platform": lambda e: (_machine(e, [_lapsed(e, _NO_HYPER_V)]), _outcomes(e, 0)),
    "avma-slow-kms": lambda e: (_machine(e, [_lapsed(e)]), _outcomes(e, _NO_KMS_ANSWERED, 0)),
    "avma-licensed-no-route": lambda e: (_machine(e, [_avma(e)], reachable=False), _outcomes(e, _NO_KMS_ANSWERED)),
    "avma-lapsed-no-route": lambda e: (_machine(e, [_lapsed(e)], reachable=False), _outcomes(e, _NO_KMS_ANSWERED)),
    "avma-refused": lambda e: (_machine(e, [_lapsed(e)]), _outcomes(e, _TOKENS_CORRUPT)),
    "avma-other-cloud": lambda e: (_machine(e, [_lapsed(e)], tag="Amazon EC2"), _outcomes(e, 0)),
    "avma-evaluation": lambda e: (_machine(e, [_lapsed(e)]), _outcomes(e, 0)),
    "edition-in-doubt": lambda e: (_machine(e, [_lapsed(e)], edition_id=_contradicting(e)), _outcomes(e, 0)),
    "kms": lambda e: (_machine(e, [_kms_client(e, _LICENSED)], host=KMS_HOST), _outcomes(e, 0)),
    "kms-on-premises": lambda e: (_machine(e, [_kms_client(e, _LICENSED)], host="kms.corp.example"), _outcomes(e, 0)),
    "kms-not-activated": lambda e: (
        _machine(e, [_kms_client(e, _NOTIFICATION, _NO_KMS_ANSWERED)], host="kms.corp.example"),
        _outcomes(e, 0),
    ),
    "kms-activation-type": lambda e: (
        _machine(e, [_kms_client(e, _NOTIFICATION, _NO_KMS_ANSWERED, activation_type=1)]),
        _outcomes(e, 0),
    ),
    "mak": lambda e: (_machine(e, [_product(e, "VOLUME_MAK", "22M4K", _LICENSED)]), {}),
    "retail": lambda e: (_machine(e, [_product(e, "RETAIL", "22R2T", _LICENSED)]), {}),
    "evaluation": lambda e: (_machine(e, [_product(e, "TIMEBASED_EVAL", "22EV7", _LICENSED)]), {}),
    "no-key": lambda e: (_machine(e, []), {}),
    "client": lambda e: (_machine(e, [_product(e, "VOLUME_MAK", "22M4K", _LICENSED)]), {}),
    "multi-session": lambda e: (_machine(e, [_product(e, "VOLUME_MAK", "22M4K", _LICENSED)]), {}),
    "unreadable": _unreadable,
}
"""By name. The last five characters of MAK, retail and evaluation keys are invented."""
