"""Finds the line on which a TOML file sets a key, which neither tomllib nor msgspec tells.

It walks over a text that tomllib has accepted, so it only has to know where keys and values end.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from avma_pack.settings.problems import Path

_OPEN: Final = re.compile(r"\[{1,2}")
_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
_HEADER_END: Final = re.compile(r"[ \t]*\]{1,2}")
_EQUALS: Final = re.compile(r"[ \t]*=")
_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_KEY_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")

# A string, a mark, or a number, truth value or date. In a multi-line string up to two quotes may stand in
# front of the three that end it; a date may hold a blank.
_MARK: Final = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}|"(?:[^"\\]|\\.)*+"'''
    r"""|'''(?:[^']|'{1,2}(?!'))*+'{3,5}|'[^']*+'"""
    r"""|[\[\]{},=]|[^\[\]{},=#"'\r\n]+""",
    re.DOTALL,
)


def lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table, key and item of a list.

    Keys inside of inline tables are not there, and an array of tables counts as one table.
    """
    walk = _Walk(text)
    walk.document()
    return walk.lines


def line_of(known: dict[Path, int], path: Path) -> int | None:
    """Return the line of `path`, else of the nearest thing around it, else None."""
    for end in range(len(path), 0, -1):
        if path[:end] in known:
            return known[path[:end]]
    return None


class _Walk:
    """One walk over a text. Where it loses its way it stops: a line number is a courtesy, never a failure."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0

    def document(self) -> None:
        """Walk from the start to the end."""
        table: tuple[str, ...] = ()
        while self._skip_blank():
            if self._take(_OPEN):
                table = self._key(())
                self._take(_HEADER_END)
            else:
                path = self._key(table)
                if path == table or not self._take(_EQUALS):
                    break
                self._value(path)

    def _skip_blank(self) -> bool:
        self._take(_BLANK)
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _note(self, path: Path, start: int) -> None:
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        self.lines.setdefault(path, self._line)

    def _key(self, table: tuple[str, ...]) -> tuple[str, ...]:
        """Read a dotted key below `table` and note it with every table that it makes."""
        path = table
        self._take(_BLANK)
        while part := self._take(_KEY_PART):
            path = (*path, _unquoted(part))
            self._note(path, self._at)
            if not self._take(_DOT):
                break
        return path

    def _value(self, path: Path) -> None:
        """Pass over a value; note the items of a list, but not what lies deeper."""
        depth = place = 0
        outer, item_starts = "", False
        while self._skip_blank():
            start = self._at
            mark = self._take(_MARK)
            if not mark:
                return
            if mark in {"]", "}"}:
                depth -= 1
            elif mark == ",":
                item_starts = depth == 1 and outer == "["
            else:
                if item_starts:
                    self._note((*path, place), start)
                    place, item_starts = place + 1, False
                if mark in {"[", "{"}:
                    depth += 1
                    if not outer:
                        outer, item_starts = mark, mark == "["
            if depth == 0:
                return


def _unquoted(part: str) -> str:
    return str(tomllib.loads(f"k={part}")["k"]) if part[0] in "\"'" else part
