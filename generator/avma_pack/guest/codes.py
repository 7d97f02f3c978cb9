"""HRESULTs, product keys, channels and text: how they are compared, and how they are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.guest.machine import CimError

SUCCESS = "0x00000000"

_LONGEST_MESSAGE = 300
"""Characters: Azure drops reasons above 8 KB, and Windows may say anything."""

_FULL_KEY = re.compile(r"(?:[A-Z0-9]{5}-){4}([A-Z0-9]{5})", re.IGNORECASE)
_ERROR_ID = re.compile(r"^HRESULT 0x([0-9a-f]{8})", re.IGNORECASE)


_CHANNELS = (
    # The order matters: VOLUME_KMS is also the beginning of VOLUME_KMSCLIENT.
    ("virtual_machine_activation", "AVMA"),
    ("volume_kmsclient", "KMS client"),
    ("volume_kms", "KMS host"),
    ("timebased_", "evaluation"),
    ("mak", "MAK"),
    ("retail", "retail"),
    ("oem", "OEM"),
)


class Failure(Exception):  # noqa: N818 - the word of the verdict and the phrases
    """What a query or a change throws; `code` is an HRESULT as text, '' where there is none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(hide_product_key(message))
        self.code = code


def get_code_text(meanings: Mapping[str, str], code: str, default: str = "") -> str:
    """An HRESULT with its meaning; where the pack knows none, with the text that Windows gave."""
    meaning = hide_product_key(default).strip().rstrip(".")
    if len(meaning) > _LONGEST_MESSAGE:
        meaning = meaning[:_LONGEST_MESSAGE] + "..."
    for known, text in meanings.items():
        if same(known, code):
            meaning = text
    return f"{code} ({meaning})" if meaning else code


def convert_to_hresult(value: object) -> str:
    """A code as `0x` and eight upper-case digits, from a signed or unsigned number; nothing counts as 0."""
    return f"0x{int(str(value or 0)) & 0xFFFFFFFF:08X}"


def get_error_code(error: CimError) -> str:
    """The HRESULT of an error of the CIM cmdlets, which stands in its id."""
    found = _ERROR_ID.match(error.fully_qualified_error_id)
    return f"0x{found[1].upper()}" if found else convert_to_hresult(error.hresult)


def get_last_five(product_key: str) -> str:
    """The part of a product key that may be shown."""
    return product_key[-5:]


def hide_product_key(text: str) -> str:
    """The text with every full product key cut down to its last five characters."""
    return _FULL_KEY.sub(r"*****-\1", text)


def same(left: object, right: str) -> bool:
    """PowerShell's `-eq` on text, which ignores case; nothing is the empty text."""
    return to_text(left).casefold() == right.casefold()


def to_text(value: object) -> str:
    """PowerShell's `[System.String]`: nothing becomes the empty text."""
    return "" if value is None else str(value)


def get_channel(description: object) -> str:
    """The activation channel that a product's Description names."""
    lowered = to_text(description).lower()
    return next((channel for part, channel in _CHANNELS if part in lowered), "other")
