"""Azure Resource Graph: the rows of a query, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.cloud.arm import Arm

_PATH = "/providers/Microsoft.ResourceGraph/resources"
_API = "2021-03-01"
_PAGE_ROWS = 1000


def query(arm: Arm, text: str, *, group: str) -> Iterator[dict[str, Any]]:
    """The rows below a management group. A query of more than a page has to be ordered by something unique.

    Raises:
        AccessError, UnavailableError, RefusedError: as `Arm.send`.
    """
    token = ""
    while True:
        options: dict[str, Any] = {"resultFormat": "objectArray", "$top": _PAGE_ROWS}
        if token:
            options["$skipToken"] = token
        page = arm.send("POST", _PATH, _API, body={"query": text, "managementGroups": [group], "options": options}).body
        yield from page["data"]
        token = page.get("$skipToken", "")
        if not token:
            return
