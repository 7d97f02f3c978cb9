"""The `$filter` of ARM's lists: functions and equalities, joined by `and`. Policy Insights knows more: see `odata`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from avma_pack.tenant.arm import ArmRequest

_FUNCTION = re.compile(r"(?P<name>\w+)\((?:'(?P<value>[^']*)')?\)", re.ASCII)
_EQUALITY = re.compile(r"(?P<name>\w+)\s+-?eq\s+'?(?P<value>[^']*)'?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to: values by lower-case name; a function without argument has ''."""

    terms: dict[str, str]

    def has(self, name: str) -> bool:
        """Whether a function stands in the filter."""
        return name.lower() in self.terms

    def allows(self, name: str, value: object) -> bool:
        """Whether the filter does not name `name`, or asks for this value, ignoring case."""
        wanted = self.terms.get(name.lower())
        return wanted is None or wanted.lower() == str(value).lower()


def parse_filter(request: ArmRequest, known: set[str]) -> Filter:
    """The filter of a request, made of terms that `known` names.

    Raises:
        ArmError: a term that is not known.
    """
    text = request.query.get("$filter", "").strip()
    allowed = {name.lower() for name in known}
    terms: dict[str, str] = {}
    for term in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else ():
        found = _FUNCTION.fullmatch(term.strip()) or _EQUALITY.fullmatch(term.strip())
        if not found or found["name"].lower() not in allowed:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        terms[found["name"].lower()] = found["value"] or ""
    return Filter(terms)
