"""The values of the OS catalog, as they stand in its TOML files."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from avma_pack.errors import UsageError
from avma_pack.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

ProductKey = Annotated[str, msgspec.Meta(pattern=r"^([A-Z0-9]{5}-){4}[A-Z0-9]{5}$")]
LastFive = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{5}$")]
OsId = Annotated[str, msgspec.Meta(pattern=r"^ws[0-9a-z]+$")]
Number = Annotated[int, msgspec.Meta(gt=0)]


class Sku(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One value of `Win32_OperatingSystem.OperatingSystemSKU`, and the EditionID that goes with it.

    `edition_id` is empty where no source gives one. `core` marks Server Core, `evaluation` an edition that
    takes no KMS client key until it is converted.
    """

    sku: Number
    sku_source: str
    edition_id: str = ""
    edition_id_source: str = ""
    core: bool = False
    evaluation: bool = False


class Edition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """An edition of a release: its KMS client key (public) and the last five characters of its AVMA key."""

    name: str
    kms_client_key: ProductKey
    kms_client_key_source: str
    skus: Annotated[tuple[Sku, ...], msgspec.Meta(min_length=1)]
    avma_last_five: LastFive | None = None
    avma_last_five_source: str = ""


class Lifecycle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Dates of a release; what no source gives is absent. `security_updates_end` is that of paid updates.

    `mainstream_end_source` is there where that date comes from elsewhere than the others.
    """

    available: dt.date | None = None
    mainstream_end: dt.date | None = None
    extended_end: dt.date | None = None
    security_updates_end: dt.date | None = None
    source: str = ""
    mainstream_end_source: str = ""

    @property
    def support_end(self) -> dt.date | None:
        """The last day of support without a paid extension."""
        return self.extended_end or self.mainstream_end


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A Windows Server release.

    `channel` is absent for releases older than the two channels. `semi_annual` is set only where two releases
    share a build, and tells them apart.
    """

    id: OsId
    name: str
    builds: Annotated[tuple[Number, ...], msgspec.Meta(min_length=1)]
    builds_source: str
    editions: Annotated[tuple[Edition, ...], msgspec.Meta(min_length=1)]
    sources: dict[str, str]
    lifecycle: Lifecycle = Lifecycle()
    channel: Literal["LTSC", "SAC"] | None = None
    semi_annual: bool | None = None

    def source(self, name: str) -> str:
        """The text of a named source; what is secondary begins with `secondary:`."""
        return self.sources.get(name, "")


class Catalog(msgspec.Struct, frozen=True):
    """All releases that are known, newest first."""

    releases: tuple[Release, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The OS ids in catalog order."""
        return tuple(release.id for release in self.releases)

    @property
    def evaluation_skus(self) -> tuple[int, ...]:
        """Every SKU of an evaluation edition: it means the same on any build."""
        return tuple(
            sorted(
                {
                    entry.sku
                    for release in self.releases
                    for edition in release.editions
                    for entry in edition.skus
                    if entry.evaluation
                }
            )
        )

    def get(self, os_id: str) -> Release:
        """The release with this id; `UsageError` names the nearest one where there is none."""
        for release in self.releases:
            if release.id == os_id:
                return release
        meant = nearest(os_id, self.ids)
        hint = f" Did you mean {meant}?" if meant else ""
        raise UsageError(
            f"There is no OS id {os_id!r}.{hint}",
            next_step=f"Known ids: {', '.join(self.ids)}. `avma-pack os list` says what they are.",
        )

    def select(self, os_ids: Iterable[str]) -> tuple[Release, ...]:
        """The releases with these ids, in catalog order; all of them where no id is given."""
        wanted = {self.get(os_id).id for os_id in os_ids}
        return tuple(release for release in self.releases if not wanted or release.id in wanted)
