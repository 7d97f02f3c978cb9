"""Packages as agents see them: downloaded over HTTPS, verified, read; each once, however many machines want it."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import zipfile
from typing import TYPE_CHECKING

from avma_pack.guest import GuestPackage, read_package

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

Source = tuple[str, str]
"""Content URI and content hash."""


class Packages:
    """The packages that were opened. What failed is tried again with `retry` only."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: dict[Source, GuestPackage | str] = {}
        self._read: dict[str, GuestPackage] = {}

    def open(self, source: Source) -> GuestPackage | str:
        """The package, or why it cannot be used."""
        known = self._opened.get(source)
        if known is None:
            known = self._opened[source] = self._open(source)
        return known

    def retry(self, source: Source) -> bool:
        """Try once more what had failed; tell whether it is usable now."""
        self._opened.pop(source, None)
        return not isinstance(self.open(source), str)

    def _open(self, source: Source) -> GuestPackage | str:
        uri, wanted = source
        shown = uri.partition("?")[0]
        if not uri.lower().startswith("https://") or self._world.fetch is None:
            return f"The package cannot be downloaded from '{shown}': an https address is needed."
        try:
            content = self._world.fetch(uri)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"The package cannot be downloaded from '{shown}': {_reason(error)}"
        found = hashlib.sha256(content).hexdigest().upper()
        if found != wanted.upper():
            return f"The package at '{shown}' has the hash {found}, and {wanted} is expected."
        try:
            return self._read.setdefault(found, read_package(content))
        except (ValueError, LookupError, OSError, zipfile.BadZipFile) as error:
            return f"The package at '{shown}' cannot be read: {error}"


def _reason(error: Exception) -> str:
    """Why a download failed, without the address's query, which may hold a SAS: some errors quote the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"  # the text is the server's, which knows the query
    return str(error).partition("?")[0]
