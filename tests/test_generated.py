"""What is generated and committed is up to date. `make golden` brings it there."""

from __future__ import annotations

import re

from generated import HASHES, POLICIES, README, hashes, policies, readme


def test_the_tables_of_the_readme_are_those_of_the_sources() -> None:
    text = README.read_text(encoding="utf-8")
    assert readme(text) == text


def test_changed_packages_ask_for_a_new_version() -> None:
    """Azure caches by content hash, and blobs are named by version: one version must never have two contents.

    After a change on purpose, raise ModuleVersion in AvmaActivation.psd1 (once it was released) and run `make golden`.
    """
    assert HASHES.read_text(encoding="utf-8") == hashes()


def test_every_payload_is_as_it_was_read_and_accepted() -> None:
    """Whatever changes in a policy is seen as a change of these files; `make golden` writes them anew."""
    accepted = {file.name: file.read_text(encoding="utf-8") for file in POLICIES.glob("*.json")}
    assert policies() == accepted


def test_the_quick_start_is_two_make_targets() -> None:
    text = README.read_text(encoding="utf-8")
    block = re.search(r"## Quick start.*?```console\n(.*?)```", text, re.DOTALL)
    assert block
    assert block[1].split("\n")[:2] == ["$ make demo", "$ make test"]
