"""Where sourced facts and reference material lie that are read by tests and not shipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("AVMA_PACK_SHARED", Path(__file__).resolve().parents[2] / "shared"))
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"{SHARED} (or AVMA_PACK_SHARED) is absent: facts and reference material"
)
