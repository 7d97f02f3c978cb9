"""Settings that are each allowed and cannot hold together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avma_pack.settings.model import AZURE_KMS, Settings
from avma_pack.settings.problems import Problem, did_you_mean, nearest, shown
from avma_pack.settings.values import ASSIGNMENT_NAME_LENGTH, Cloud, PackageAccess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def contradictions(settings: Settings) -> Iterator[Problem]:
    """Yield every contradiction, under the setting that is the first to look at."""
    yield from _name(settings)
    yield from _kms(settings)
    yield from _tag(settings)
    yield from _identity(settings)


def releases(settings: Settings, os_ids: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with `pack.os`, given all ids of the catalog; without ids, nothing.

    Packs for different releases live side by side, so what is not for all of them needs a name of its own.
    """
    chosen, suffix = settings.pack.os, settings.pack.suffix
    unknown = [(place, os_id) for place, os_id in enumerate(chosen) if os_ids and os_id not in os_ids]
    for place, os_id in unknown:
        meant = did_you_mean(nearest(os_id, os_ids))
        yield Problem(("pack", "os", place), f"found '{os_id}'; allowed: {', '.join(os_ids)}{meant}")
    if unknown or not os_ids:
        return
    if not suffix and 1 < len(chosen) < len(os_ids):
        yield Problem(
            ("pack", "os"),
            f"found {len(chosen)} of {len(os_ids)} releases, and such a pack needs a suffix of its own",
            "Name one with pack.suffix or --suffix, or use --each-os for one pack per release.",
        )
    named = suffix.removeprefix("-")
    if named in os_ids and chosen != (named,):
        yield Problem(
            ("pack", "suffix"),
            f"found '{suffix}', that of the pack for {named} alone, which this one would overwrite in Azure",
            "Choose another suffix.",
        )


def _name(settings: Settings) -> Iterator[Problem]:
    pack = settings.pack
    name = pack.prefix + pack.suffix
    if len(name) > ASSIGNMENT_NAME_LENGTH:
        yield Problem(
            ("pack", "suffix"),
            f"found '{pack.suffix}', which with the prefix '{pack.prefix}' makes an assignment name of "
            f"{len(name)} characters; allowed: {ASSIGNMENT_NAME_LENGTH} at a management group",
        )


def _kms(settings: Settings) -> Iterator[Problem]:
    owner = _azure_kms_cloud(settings.kms_server)
    cloud = settings.pack.cloud
    if owner not in (None, cloud):
        yield Problem(
            ("kms", "server"),
            f"found '{settings.kms_server}', Azure KMS of the cloud '{owner}'; allowed in '{cloud}' "
            f"(pack.cloud): '{AZURE_KMS[cloud][0]}', or a host of your own",
            "Leave kms.server out to get Azure KMS of the cloud, or correct pack.cloud.",
        )


def _azure_kms_cloud(host: str) -> Cloud | None:
    return next((cloud for cloud, hosts in AZURE_KMS.items() if host.lower() in hosts), None)


def _tag(settings: Settings) -> Iterator[Problem]:
    if settings.tag_filter.values and settings.tag_filter.name is None:
        yield Problem(
            ("tag-filter", "values"),
            "found values of a tag without its name; allowed: together with tag-filter.name",
        )


def _identity(settings: Settings) -> Iterator[Problem]:
    identity, access = settings.packages.identity, settings.packages.access
    if access is PackageAccess.USER_ASSIGNED and identity is None:
        yield Problem(
            ("packages", "access"),
            f"found '{access}' without an identity; allowed: together with packages.identity",
            "Set packages.identity to the resource id of the identity that the machines carry.",
        )
    elif access is not PackageAccess.USER_ASSIGNED and identity is not None:
        yield Problem(
            ("packages", "identity"),
            f"found {shown(identity)} while packages.access is '{access}'; allowed: with 'user-assigned'",
            "Set packages.access to 'user-assigned', or leave packages.identity out.",
        )
