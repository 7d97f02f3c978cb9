"""What is generated from the sources and committed: tables of the README, hashes of packages, sample policies.

`make golden` writes it; tests say where it is out of date.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from avma_pack import assets
from avma_pack.catalog import load_catalog
from avma_pack.cli import app
from avma_pack.errors import ExitCode
from avma_pack.packaging.build import build_packages, module_version
from avma_pack.rendering.render import render
from avma_pack.settings import (
    Assignment,
    Enforcement,
    Pack,
    Packages,
    Prerequisites,
    PrerequisitesMode,
    Remediation,
    RemediationMode,
    Settings,
    TagFilter,
    commented_template,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
HASHES = ROOT / "tests/packaging/package_hashes.json"
POLICIES = ROOT / "tests/rendering/golden"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def operating_systems() -> str:
    rows = []
    for release in load_catalog().releases:
        for edition in release.editions:
            secondary = release.source(edition.avma_last_five_source).startswith("secondary:")
            avma = edition.avma_last_five or "none exists"
            rows.append(
                (
                    f"`{release.id}`",
                    release.name,
                    ", ".join(map(str, release.builds)),
                    edition.name,
                    ", ".join(str(entry.sku) for entry in edition.skus if not entry.evaluation),
                    f"`{edition.kms_client_key}`",
                    avma + (" (secondary source)" if secondary else ""),
                    str(release.lifecycle.support_end or "not known"),
                )
            )
    head = (
        "Id",
        "Release",
        "Build",
        "Edition",
        "SKUs",
        "KMS client key",
        "AVMA key ends in",
        "End of support",
    )
    return _table(head, rows)


def reasons() -> str:
    file = assets.packages() / "AvmaActivation/reasons.json"
    meaning = {
        "finding": {True: "compliant", False: "**not compliant**"},
        "blocker": {False: "stands in the way"},
    }
    rows = [
        (f"`{reason['id']}`", meaning[reason["kind"]][reason["compliant"]], reason["fix"])
        for reason in json.loads(file.read_text(encoding="ascii"))
    ]
    return _table(("Reason", "Means", "What to do"), rows)


def commands() -> str:
    rows = []
    for group, prefix in [
        (app, "avma-pack"),
        *((each.typer_instance, f"avma-pack {each.name}") for each in app.registered_groups),
    ]:
        for command in group.registered_commands:
            summary = (command.callback.__doc__ or "").split("\n\n")[0].replace("\n    ", " ")
            rows.append((f"`{prefix} {command.name or command.callback.__name__}`", summary))
    return _table(("Command", "What it does"), rows)


def exit_codes() -> str:
    return _table(("Code", "Meaning"), ((str(int(code)), code.meaning) for code in ExitCode))


def settings() -> str:
    return f"```toml\n{commented_template()}```"


def hashes() -> str:
    catalog = load_catalog()
    built = build_packages(catalog, catalog.releases, version=module_version(), suffix="")
    content = {"version": module_version(), "sha256": {package.name: package.sha256 for package in built}}
    return json.dumps(content, indent=2) + "\n"


def policies() -> dict[str, str]:
    """Every payload of a pack with everything in it, by file name, with hashes that do not change with the module."""
    catalog = load_catalog()
    packages = build_packages(catalog, catalog.releases, version="1.2.3", suffix="-pilot")
    fixed = [dataclasses.replace(package, sha256=digit * 64) for package, digit in zip(packages, "AB", strict=True)]
    rendered = render(SAMPLE, fixed)
    return {name.replace("/", "-"): json.dumps(payload, indent=2) + "\n" for name, payload in rendered.items()}


SAMPLE = Settings(
    pack=Pack(suffix="-pilot"),
    remediation=Remediation(mode=RemediationMode.APPLY_AND_AUTO_CORRECT),
    prerequisites=Prerequisites(mode=PrerequisitesMode.OWN),
    tag_filter=TagFilter(name="activation", values=("kms", "pilot")),
    packages=Packages(base_uri="https://packages.example.com/avma"),
    assignment=Assignment(enforcement=Enforcement.DO_NOT_ENFORCE),
)

BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "operating systems": operating_systems,
    "reasons": reasons,
    "exit codes": exit_codes,
}


def readme(text: str) -> str:
    """The README with every generated block as it should be."""
    for name, make in BLOCKS.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md has no block '{name}'")
        text = pattern.sub(lambda found, make=make: f"{found[1]}{make()}\n{found[2]}", text)
    return text


def main() -> int:
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    HASHES.write_text(hashes(), encoding="utf-8")
    POLICIES.mkdir(exist_ok=True)
    for name, text in policies().items():
        (POLICIES / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
