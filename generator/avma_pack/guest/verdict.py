"""What was found on a machine, whether that is compliant, and what stands in the way of Set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avma_pack.guest.codes import Failure, get_channel, get_last_five, same, to_text
from avma_pack.guest.queries import (
    CURRENT_VERSION_PATH,
    get_cim_row,
    get_record,
    get_registry_text,
    get_windows_product,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avma_pack.guest.machine import Instance
    from avma_pack.guest.package import Catalog, Edition, Parameters, Release
    from avma_pack.guest.queries import Guest

AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""Chassis asset tag of a virtual machine in Azure."""

_MULTI_SESSION_SKU = "175"
_MULTI_SESSION_EDITION_ID = "ServerRdsh"
_SEMI_ANNUAL_SKU = ("145", "146")


@dataclass(slots=True)
class JudgedMachine:
    """What Get-Machine reads.

    `edition` is the catalog's entry whose KMS client key belongs on the machine, None where there is none;
    `product` the Windows product that counts, None where no key is installed. `foreign_asset_tag` is read
    with the blockers only.
    """

    caption: str
    build: str
    sku: str
    edition_id: str
    release: Release | None
    edition: Edition | None
    pack_release: tuple[str, ...]
    is_client: bool
    is_out_of_scope: bool
    is_evaluation: bool
    product: Instance | None = None
    licensed: bool = False
    foreign_asset_tag: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The finding. Where it is QueryFailed, `failure` says why and `judged` is None."""

    finding: str
    compliant: bool
    failure: str = ""
    judged: JudgedMachine | None = None


def get_verdict(guest: Guest, activation_policy: str) -> Verdict:
    """Judges the machine; what cannot be read is the finding QueryFailed."""
    try:
        judged = get_machine(guest)
    except Failure as failure:
        return Verdict("QueryFailed", compliant=False, failure=str(failure))
    finding = get_finding(judged, activation_policy)
    return Verdict(finding, guest.package.reasons[finding].compliant, judged=judged)


def get_machine(guest: Guest) -> JudgedMachine:
    """Reads the operating system and, on a server that this pack judges, its Windows products."""
    catalog = guest.package.catalog
    properties = ("Name", "BuildNumber", "OperatingSystemSKU", "ProductType", "Caption")
    systems = get_cim_row(guest, "Win32_OperatingSystem", properties)
    if not systems:
        raise Failure("Win32_OperatingSystem has no instance.")
    system = systems[0]
    build = to_text(system["BuildNumber"])
    sku = to_text(system["OperatingSystemSKU"])
    edition_id = get_registry_text(guest, CURRENT_VERSION_PATH, "EditionID")
    release = find_release(catalog, build, sku, edition_id)
    judged = JudgedMachine(
        caption=to_text(system["Caption"]),
        build=build,
        sku=sku,
        edition_id=edition_id,
        release=release,
        edition=find_edition(release, sku, edition_id),
        pack_release=tuple(each.name for each in catalog.releases),
        is_client=to_text(system["ProductType"]) == "1"
        or sku == _MULTI_SESSION_SKU
        or same(edition_id, _MULTI_SESSION_EDITION_ID),
        is_out_of_scope=catalog.limited and release is None,
        is_evaluation=sku in catalog.evaluation_skus or get_bare_edition_id(edition_id).lower().endswith("eval"),
    )
    if not judged.is_client and not judged.is_out_of_scope:
        judged.product = select_product(get_windows_product(guest))
        judged.licensed = test_licensed(judged.product)
    return judged


def find_release(catalog: Catalog, build: str, sku: str, edition_id: str) -> Release | None:
    """The catalog's release with this build; where two share it, SKU or EditionID decides."""
    semi_annual = sku in _SEMI_ANNUAL_SKU or edition_id.lower().endswith("acor")
    for release in catalog.releases:
        if build in release.builds and release.semi_annual in (None, semi_annual):
            return release
    return None


def find_edition(release: Release | None, sku: str, edition_id: str) -> Edition | None:
    """The release's edition with this SKU; none where the EditionID contradicts the SKU."""
    if release is None:
        return None
    found = get_bare_edition_id(edition_id)
    for edition in release.editions:
        for entry in edition.skus:
            expected = get_bare_edition_id(entry.edition_id)
            if entry.sku == sku and (not found or not expected or same(found, expected)):
                return edition
    return None


def get_bare_edition_id(edition_id: str) -> str:
    """An EditionID without the ending that marks Server Core, which Windows sometimes leaves out itself."""
    return re.sub(r"Core?$", "", edition_id, flags=re.IGNORECASE)


def select_product(products: Sequence[Instance]) -> Instance | None:
    """The product that counts: the AVMA one, else the KMS client, else the first."""
    for channel in ("AVMA", "KMS client"):
        for candidate in products:
            if get_channel(candidate["Description"]) == channel:
                return candidate
    return products[0] if products else None


def test_licensed(product: Instance | None) -> bool:
    """Whether Windows is licensed by this product."""
    return product is not None and to_text(product["LicenseStatus"]) == "1"


def get_finding(judged: JudgedMachine, activation_policy: str) -> str:
    """The id of the one finding: the first that applies."""
    if judged.is_client:
        return "WindowsClient"
    if judged.is_out_of_scope:
        return "OutOfScope"
    channel = get_channel(judged.product["Description"]) if judged.product is not None else ""
    policy = activation_policy.casefold()
    must_be_kms_client = policy in ("kmsclientonly", "activated")
    must_be_licensed = policy in ("avmareplaced", "activated")
    finding = "NoAvmaKey"
    if channel == "AVMA":
        finding = "AvmaKeyInstalled"
    elif must_be_kms_client and channel == "":
        finding = "NoProductKey"
    elif must_be_kms_client and channel != "KMS client":
        finding = "UnsupportedChannel"
    elif must_be_licensed and channel == "KMS client":
        finding = "WindowsActivated" if judged.licensed else "NotActivated"
    elif policy == "kmsclientonly":
        finding = "KmsClientKeyInstalled"
    return finding


def get_blocker(guest: Guest, verdict: Verdict, parameters: Parameters) -> list[str]:
    """The ids of everything that stands in the way of Set, in the order in which reasons list them."""
    judged = verdict.judged
    if verdict.compliant or judged is None:
        return []
    blockers = []
    judged.foreign_asset_tag = get_foreign_asset_tag(guest)
    if judged.foreign_asset_tag:
        blockers.append("NotAzureVirtualMachine")
    if judged.is_evaluation:
        blockers.append("EvaluationEdition")
    elif judged.edition is None:
        blockers.append("NoKmsClientKey")
    if test_other_key_kept(judged, parameters.replace_other_keys):
        blockers.append("OtherKeyKept")
    if test_activation_type_block(judged):
        blockers.append("ActivationTypeBlocksKms")
    if not same(parameters.kms_probe, "Never") and not guest.machine.test_tcp_port(
        parameters.kms_server, int(parameters.kms_port)
    ):
        blockers.append("KmsUnreachable")
    record = get_record(guest)
    if record is not None and same(record["Result"], "Failed"):
        blockers.append("LastAttemptFailed")
    return blockers


def get_foreign_asset_tag(guest: Guest) -> str:
    """A chassis asset tag that is not Azure's; '' where one enclosure has it, or where no tag can be read."""
    try:
        enclosure = get_cim_row(guest, "Win32_SystemEnclosure", ("Tag", "SMBIOSAssetTag"))
    except Failure:
        return ""
    foreign = ""
    for row in enclosure:
        tag = to_text(row["SMBIOSAssetTag"]).strip()
        if same(tag, AZURE_ASSET_TAG):
            return ""
        if tag:
            foreign = tag
    return foreign


def test_other_key_kept(judged: JudgedMachine, replace_other_keys: str) -> bool:
    """Whether a key stands that is neither AVMA nor KMS client and that Set may not replace."""
    if judged.product is None or same(replace_other_keys, "Yes"):
        return False
    return get_channel(judged.product["Description"]) not in ("AVMA", "KMS client")


def test_activation_type_block(judged: JudgedMachine) -> bool:
    """Whether the key would stay and its product is restricted to Active Directory or token activation."""
    if judged.product is None or judged.edition is None:
        return False
    key_stays = same(judged.product["PartialProductKey"], get_last_five(judged.edition.kms_client_key))
    return key_stays and to_text(judged.product["VLActivationTypeEnabled"]) in ("1", "3")


def select_refusal(blockers: Sequence[str], kms_probe: str, *, licensed: bool) -> list[str]:
    """Those blockers for which Set changes nothing."""
    return [
        blocker
        for blocker in blockers
        if blocker != "LastAttemptFailed"
        and not (blocker == "KmsUnreachable" and same(kms_probe, "WhenLicensed") and not licensed)
    ]
