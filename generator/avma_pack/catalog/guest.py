"""The catalog as the guest gets it: `Modules/AvmaActivation/catalog.json` in every package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avma_pack.catalog.model import Catalog, Edition, Release


def guest_catalog(catalog: Catalog, releases: Sequence[Release], pack_version: str) -> dict[str, Any]:
    """What the DSC module needs to know of `releases`.

    Builds and SKUs are strings: PowerShell does not find a uint32 of WMI among the numbers of a JSON file.
    `limited` says that other releases exist for which this pack does not answer. Evaluation SKUs lead to no
    key and mean the same on any build, so they stand apart, and for all releases.
    """
    return {
        "packVersion": pack_version,
        "limited": len(releases) < len(catalog.releases),
        "evaluationSkus": [str(sku) for sku in catalog.evaluation_skus],
        "releases": [_release(release) for release in releases],
    }


def _release(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "name": release.name,
        "builds": [str(build) for build in release.builds],
        "semiAnnual": release.semi_annual,
        "editions": [_edition(edition) for edition in release.editions],
    }


def _edition(edition: Edition) -> dict[str, Any]:
    return {
        "name": edition.name,
        "kmsClientKey": edition.kms_client_key,
        "skus": [
            {"sku": str(entry.sku), "editionId": entry.edition_id} for entry in edition.skus if not entry.evaluation
        ],
    }
