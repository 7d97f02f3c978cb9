"""`avma-pack os`: the catalog of Windows Server releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from avma_pack.cli import output
from avma_pack.cli.output import OutputOption

if TYPE_CHECKING:
    import datetime as dt

    from avma_pack.catalog import Edition, Release, Sku

app = typer.Typer(
    no_args_is_help=True,
    help="Look up Windows Server releases, their editions and keys.\n\nExample: avma-pack os show ws2019",
)


def complete_os_id(incomplete: str) -> list[str]:
    """The ids of releases that begin like this, for shell completion."""
    from avma_pack.catalog import load_catalog

    return [os_id for os_id in load_catalog().ids if os_id.startswith(incomplete.lower())]


@app.command("list")
def list_releases(output_format: OutputOption = "table") -> None:
    """List every release that a pack can judge, with the end of its support.

    Example: avma-pack os list --output json
    """
    from avma_pack.catalog import load_catalog

    releases = load_catalog().releases
    if output_format == "json":
        output.print_json([_release(release) for release in releases])
        return
    output.print_table(
        ("Id", "Release", "Channel", "Builds", "Editions", "End of support"),
        (
            (
                release.id,
                release.name,
                release.channel or "",
                ", ".join(map(str, release.builds)),
                ", ".join(edition.name for edition in release.editions),
                _end(release),
            )
            for release in releases
        ),
    )


@app.command("show")
def show_release(
    os_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a release, such as ws2019.", autocompletion=complete_os_id)
    ],
    output_format: OutputOption = "table",
) -> None:
    """Show a release: editions with SKUs, KMS client keys, AVMA keys (last five characters), dates and sources.

    Example: avma-pack os show ws2019
    """
    from avma_pack.catalog import load_catalog

    release = load_catalog().get(os_id.lower())
    if output_format == "json":
        output.print_json(_release(release))
        return
    life = release.lifecycle
    output.print_facts(
        [
            ("Id", release.id),
            ("Release", release.name),
            ("Channel", release.channel or "not stated"),
            ("Builds", ", ".join(map(str, release.builds))),
            ("Available", _date(life.available)),
            ("Mainstream support ends", _date(life.mainstream_end)),
            ("Extended support ends", _date(life.extended_end)),
            ("Paid security updates end", _date(life.security_updates_end)),
        ]
    )
    output.print_table(
        ("Edition", "KMS client key", "AVMA key ends in", "SKU", "EditionID", ""),
        (_row(edition, entry, entry is edition.skus[0]) for edition in release.editions for entry in edition.skus),
    )
    output.print_facts((f"Source {name}", text) for name, text in release.sources.items())


def _row(edition: Edition, entry: Sku, first: bool) -> tuple[str, ...]:
    kind = ", ".join(
        word for word, holds in (("Server Core", entry.core), ("evaluation: no key", entry.evaluation)) if holds
    )
    head = (edition.name, edition.kms_client_key, edition.avma_last_five or "none") if first else ("", "", "")
    return (*head, str(entry.sku), entry.edition_id or "not known", kind)


def _release(release: Release) -> dict[str, Any]:
    life = release.lifecycle
    return {
        "id": release.id,
        "name": release.name,
        "channel": release.channel,
        "builds": list(release.builds),
        "lifecycle": {
            "available": _json_date(life.available),
            "mainstreamEnd": _json_date(life.mainstream_end),
            "extendedEnd": _json_date(life.extended_end),
            "securityUpdatesEnd": _json_date(life.security_updates_end),
            "supportEnd": _json_date(life.support_end),
            "source": release.source(life.source),
        },
        "editions": [_edition(edition, release) for edition in release.editions],
    }


def _edition(edition: Edition, release: Release) -> dict[str, Any]:
    return {
        "name": edition.name,
        "kmsClientKey": edition.kms_client_key,
        "kmsClientKeySource": release.source(edition.kms_client_key_source),
        "avmaLastFive": edition.avma_last_five,
        "avmaLastFiveSource": release.source(edition.avma_last_five_source) or None,
        "skus": [
            {
                "sku": entry.sku,
                "skuSource": release.source(entry.sku_source),
                "editionId": entry.edition_id or None,
                "editionIdSource": release.source(entry.edition_id_source) or None,
                "core": entry.core,
                "evaluation": entry.evaluation,
            }
            for entry in edition.skus
        ],
    }


def _end(release: Release) -> str:
    import datetime as dt

    end = release.lifecycle.support_end
    if end is None:
        return "not known"
    ended = end < dt.datetime.now(tz=dt.UTC).date()
    return f"{end} (ended)" if ended else str(end)


def _date(date: dt.date | None) -> str:
    return str(date) if date else "not known"


def _json_date(date: dt.date | None) -> str | None:
    return str(date) if date else None
