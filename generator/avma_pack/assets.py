"""Finds the files that are shipped with the program: catalog, DSC module and templates.

A wheel carries them as package data under `_data`; in a checkout they lie at its top, where an editable
install reads them live (the copy that hatchling makes for editable installs would go stale).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def root() -> Path:
    """The folder that holds `packages/` and `policies/`."""
    shipped = _PACKAGE / "_data"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


def packages() -> Path:
    """What runs inside the guest: the DSC module, the OS catalog, MOF and metaconfig templates."""
    return root() / "packages"


def policies() -> Path:
    """What Azure Policy gets: templates of definitions, initiative and assignment."""
    return root() / "policies"
