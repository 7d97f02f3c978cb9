"""The part of OData that Policy Insights is asked in: $filter, $apply, $orderby, $select, on flat rows.

Names ignore case. What is not known here is refused by name, never ignored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]

Row = dict[str, Any]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),])|(?P<word>[^\s(),']+))")
_GROUP = re.compile(r"groupby\(\((?P<by>[^)]*)\)(?:,\s*aggregate\(\$count as (?P<count>\w+)\))?\)", re.IGNORECASE)
_COUNT = re.compile(r"aggregate\(\$count as (?P<count>\w+)\)", re.IGNORECASE)

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "ge": lambda left, right: left >= right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
    "lt": lambda left, right: left < right,
}
_TEXT_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}


def compile_filter(text: str, fields: Iterable[str]) -> Predicate:
    """A predicate on rows, whose fields are given; texts are compared ignoring case.

    Raises:
        ArmError: 400, for what is malformed or not known here.
    """
    return _Filter(text, fields).parse()


def apply(text: str, rows: Iterable[Row], fields: Iterable[str]) -> list[Row]:
    """Group and count rows, one transformation after the other.

    Raises:
        ArmError: 400, for a transformation that is not known here.
    """
    found, names = list(rows), {name.lower(): name for name in fields}
    for step in _steps(text):
        count, grouped = _COUNT.fullmatch(step), _GROUP.fullmatch(step)
        if count:
            found = [{count["count"]: len(found)}]
        elif grouped:
            by = [names.get(each.strip().lower(), each.strip()) for each in grouped["by"].split(",")]
            found = _grouped(found, by, grouped["count"])
        else:
            raise _refused("$apply", step)
    return found


def order(rows: list[Row], text: str) -> list[Row]:
    """Sort rows by `field [asc|desc]`, several by commas."""
    for clause in reversed([each.split() for each in text.split(",") if each.strip()]):
        descending = clause[1:] == ["desc"]
        if clause[1:] not in ([], ["asc"], ["desc"]):
            raise _refused("$orderby", text)
        name = clause[0].lower()
        rows = sorted(rows, key=lambda row: _sortable(_value(row, name)), reverse=descending)
    return rows


def select(row: Row, text: str) -> Row:
    """The fields that are named."""
    wanted = {each.strip().lower() for each in text.split(",")}
    return {name: value for name, value in row.items() if name.lower() in wanted or name.startswith("@")}


def _grouped(rows: list[Row], by: Sequence[str], count: str | None) -> list[Row]:
    groups: dict[tuple[Any, ...], int] = {}
    for row in rows:
        key = tuple(row.get(name) for name in by)
        groups[key] = groups.get(key, 0) + 1
    return [dict(zip(by, key, strict=True)) | ({count: size} if count else {}) for key, size in groups.items()]


def _steps(text: str) -> list[str]:
    """The transformations between slashes that stand outside parentheses."""
    depth, steps = 0, [""]
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "/" and depth == 0:
            steps.append("")
        else:
            steps[-1] += char
    return [step.strip() for step in steps]


def _value(row: Mapping[str, Any], name: str) -> Any:
    return next((value for field, value in row.items() if field.lower() == name), None)


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, ""
    return (1, value) if isinstance(value, (int, float)) else (2, str(value).lower())


def _refused(option: str, text: str) -> ArmError:
    return ArmError(400, "InvalidQueryOption", f"The query option {option} has a part that is not known: '{text}'.")


class _Filter:
    """A recursive descent over one filter."""

    def __init__(self, text: str, fields: Iterable[str]) -> None:
        self._text = text
        self._fields = {name.lower(): name for name in fields}
        self._tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise _refused("$filter", text[at:])
            self._tokens.append(found[0].strip())
            at = found.end()
        self._at = 0

    def parse(self) -> Predicate:
        predicate = self._any()
        if self._at < len(self._tokens):
            raise _refused("$filter", self._tokens[self._at])
        return predicate

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._skip("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda row: any(each(row) for each in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._skip("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(each(row) for each in parts)

    def _one(self) -> Predicate:
        if self._skip("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._skip("("):
            inner = self._any()
            self._expect(")")
            return inner
        name = self._take()
        if name.lower() in _TEXT_FUNCTIONS and self._skip("("):
            return self._function(_TEXT_FUNCTIONS[name.lower()])
        field, compare = self._field(name), _COMPARISONS.get(self._take().lower())
        if compare is None:
            raise _refused("$filter", self._text)
        wanted = _literal(self._take())
        return lambda row: _compared(compare, row.get(field), wanted)

    def _function(self, test: Callable[[str, str], bool]) -> Predicate:
        field = self._field(self._take())
        self._expect(",")
        part = str(_literal(self._take()))
        self._expect(")")
        return lambda row: test(str(row.get(field) or "").lower(), part)

    def _field(self, name: str) -> str:
        if name.lower() not in self._fields:
            raise _refused("$filter", name)
        return self._fields[name.lower()]

    def _skip(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise _refused("$filter", self._text)

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise _refused("$filter", self._text)
        self._at += 1
        return self._tokens[self._at - 1]


def _literal(token: str) -> Any:
    """A text without its quotes and in lower case, a boolean, null, a number, or a moment as its text."""
    if token.startswith("'"):
        return token[1:-1].replace("''", "'").lower()
    if token.lower() in {"true", "false"}:
        return token.lower() == "true"
    if token.lower() == "null":
        return None
    return int(token) if token.lstrip("-").isdigit() else token.lower()


def _compared(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    found = value.lower() if isinstance(value, str) else value
    try:
        return compare(found, wanted)
    except TypeError:
        return False
