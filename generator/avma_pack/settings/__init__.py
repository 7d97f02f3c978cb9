"""The settings of a pack, from the optional file `pack.toml`.

`load` and `check` are the gates: what they return is sound; what they refuse they explain, by file and line.
"""

from __future__ import annotations

from avma_pack.settings.load import FILE_NAME, check, load
from avma_pack.settings.model import (
    Activation,
    Assignment,
    Kms,
    Pack,
    Packages,
    Prerequisites,
    Remediation,
    Settings,
    TagFilter,
    in_force,
)
from avma_pack.settings.schema import json_schema
from avma_pack.settings.template import commented_template
from avma_pack.settings.values import (
    ActivationPolicy,
    Cloud,
    Enforcement,
    KmsProbe,
    PackageAccess,
    PrerequisitesMode,
    RemediationMode,
)

__all__ = [
    "FILE_NAME",
    "Activation",
    "ActivationPolicy",
    "Assignment",
    "Cloud",
    "Enforcement",
    "Kms",
    "KmsProbe",
    "Pack",
    "PackageAccess",
    "Packages",
    "Prerequisites",
    "PrerequisitesMode",
    "Remediation",
    "RemediationMode",
    "Settings",
    "TagFilter",
    "check",
    "commented_template",
    "in_force",
    "json_schema",
    "load",
]
