"""The words of reasons: phrases with their fields filled in, and the record of the last change."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from avma_pack.guest.codes import (
    convert_to_hresult,
    get_channel,
    get_code_text,
    get_last_five,
    hide_product_key,
    same,
    to_text,
)
from avma_pack.guest.queries import get_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from avma_pack.guest.package import Parameters
    from avma_pack.guest.queries import Guest
    from avma_pack.guest.verdict import Verdict

_CODE_PREFIX = "WindowsActivationChannel:WindowsActivationChannel"
_LICENSE_STATUS_NAME = (
    "unlicensed",
    "licensed",
    "in initial grace",
    "in additional grace",
    "in non-genuine grace",
    "in notification mode",
    "in extended grace",
)


class Reason(NamedTuple):
    """One of Get's reasons: `WindowsActivationChannel:WindowsActivationChannel:<Id>` and its wording."""

    code: str
    phrase: str


def get_reason(guest: Guest, ids: Sequence[str], fields: Mapping[str, str]) -> list[Reason]:
    """The reasons with these ids. The first, the finding, ends with what this pack last did here."""
    suffix = f" {fields['record']}" if fields["record"] else ""
    reasons = []
    for reason_id in ids:
        reasons.append(Reason(f"{_CODE_PREFIX}:{reason_id}", get_reason_phrase(guest, reason_id, fields) + suffix))
        suffix = ""
    return reasons


def get_reason_phrase(guest: Guest, reason_id: str, fields: Mapping[str, str]) -> str:
    """The wording of a reason, its {fields} filled in. Whatever it says, it holds no full product key."""
    phrase = guest.package.reasons[reason_id].phrase
    for name, value in fields.items():
        phrase = phrase.replace(f"{{{name}}}", value)
    return hide_product_key(phrase)


def get_phrase_field(guest: Guest, verdict: Verdict, parameters: Parameters) -> dict[str, str]:
    """What reasons may quote, by the name of the field."""
    fields = {
        "policy": parameters.activation_policy,
        "server": parameters.kms_server,
        "port": parameters.kms_port,
        "failure": verdict.failure,
        "record": get_record_sentence(guest),
        "system": "",
        "build": "",
        "sku": "",
        "editionId": "unknown",
        "scope": "",
        "assetTag": "",
        "expectedKey": "not known",
        "key": "unknown",
        "channel": "unknown",
        "status": "unknown",
        "statusCode": "no code",
    }
    judged = verdict.judged
    if judged is None:
        return fields
    fields["system"] = judged.caption
    fields["build"] = judged.build
    fields["sku"] = judged.sku
    fields["scope"] = "; ".join(judged.pack_release)
    fields["assetTag"] = judged.foreign_asset_tag
    if judged.edition_id:
        fields["editionId"] = judged.edition_id
    if judged.edition is not None:
        fields["expectedKey"] = get_last_five(judged.edition.kms_client_key)
    if judged.product is not None:
        product = judged.product
        fields["key"] = to_text(product["PartialProductKey"])
        fields["channel"] = get_channel(product["Description"])
        fields["status"] = _license_status_name(product["LicenseStatus"])
        code = convert_to_hresult(product["LicenseStatusReason"])
        fields["statusCode"] = get_code_text(guest.package.meanings, code)
    elif not judged.is_client and not judged.is_out_of_scope:
        fields |= {"key": "none", "channel": "none", "status": "unlicensed"}
    return fields


def get_record_sentence(guest: Guest) -> str:
    """What this pack last did to the machine, in one sentence; '' where it never did anything."""
    record = get_record(guest)
    if record is None:
        return ""
    outcome = record["Result"]
    if same(record["Result"], "Failed") and record["Code"]:
        outcome = f"Failed with {get_code_text(guest.package.meanings, record['Code'])}"
    sentence = (
        f"Last change by avma-pack {record['PackVersion']} at {record['TimeUtc']}: "
        f"step {record['Step']}, {outcome}; key ending in {record['OldKey'] or 'none'} before, "
        f"{record['NewKey']} after."
    )
    return hide_product_key(sentence)


def _license_status_name(status: object) -> str:
    number = int(str(status or 0))
    if 0 <= number < len(_LICENSE_STATUS_NAME):
        return _LICENSE_STATUS_NAME[number]
    return f"in an unknown state ({number})"
