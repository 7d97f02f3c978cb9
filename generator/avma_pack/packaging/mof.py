"""Reads the MOF of a DSC configuration: a document of instances, as PowerShell compiles them.

The grammar is that of DSP0004 (Common Information Model Infrastructure, annex A), less class and qualifier
declarations, which a compiled configuration does not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from avma_pack.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value: TypeAlias = "str | int | float | bool | list[Value] | Reference | Instance | None"
"""What a property can hold; an `Instance` where one is embedded."""

MAX_CHARACTERS = 4 * 1024 * 1024
"""Our own limit: a compiled configuration of a thousand resources has about 1 MB."""

_MAX_DEPTH = 32
_MAX_DIGITS = 70  # of 64 bits with sign and suffix; int() refuses strings of many thousand digits
_INTEGERS = range(-(2**63), 2**64)  # sint64 and uint64
_RECOMPILE = "Compile the configuration again; a MOF is not made to be edited by hand."

_SAVE = "Save it as UTF-8, or as UTF-16 with a byte-order mark."
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:[xX]([0-9A-Fa-f]{1,4})|(.))")
_TOKEN = re.compile(
    r"""(?P<skip> \s++ | //[^\r\n]*+ | /\*(?s:.*?)\*/ )
      | (?P<string> "[^"\\\r\n]*+ (?: \\.[^"\\\r\n]*+ )*+ " )
      | (?P<number> [+-]?(?: 0[xX][0-9A-Fa-f]+ | [0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[bB]? )(?![\w.]) )
      | (?P<alias> \$[^\W\d]\w*+ )
      | (?P<name> [^\W\d]\w*+ )
      | (?P<mark> [{}\[\]();=,:] | \#(?i:pragma)\b )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The value `$alias`; `alias` is written without the dollar sign."""

    alias: str


@dataclass(frozen=True, slots=True)
class Instance:
    """`instance of class_name as $alias { properties };`, the alias without the dollar sign."""

    class_name: str
    alias: str | None
    properties: Mapping[str, Value]

    def is_a(self, class_name: str) -> bool:
        """Whether it is of that class; names of classes ignore case."""
        return self.class_name.casefold() == class_name.casefold()

    def get(self, name: str) -> Value:
        """The value of a property, whose name ignores case; None where it is absent or NULL."""
        wanted = name.casefold()
        return next((value for key, value in self.properties.items() if key.casefold() == wanted), None)


def decode(data: bytes) -> str:
    """The text of a file by its byte-order mark: UTF-8 (also without one) or UTF-16, as PowerShell writes it.

    Raises:
        PackageError: it is in neither.
    """
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise PackageError(f"not valid {name} at byte {error.start}", next_step=_SAVE) from error
    if "\0" in text:  # UTF-16 without a mark, or UTF-32
        raise PackageError("neither UTF-8 nor UTF-16 with a byte-order mark", next_step=_SAVE)
    return text


def parse(text: str) -> list[Instance]:
    """The instances of a document, in its order; those embedded in others stay there.

    Raises:
        PackageError: the text is not such a document; the message names the line and what was expected.
    """
    if len(text) > MAX_CHARACTERS:
        raise PackageError(f"longer than {MAX_CHARACTERS} characters", next_step=_RECOMPILE)
    return _Reader(text).document()


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


def _error(text: str, position: int, expected: str, found: str) -> PackageError:
    before = text[:position]
    line = 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
    return PackageError(f"line {line}: expected {expected}, found {found}", next_step=_RECOMPILE)


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _token_error(text, position)
        kind = str(match.lastgroup)
        if kind != "skip":
            yield _Token(kind, match[0], position)
        position = match.end()
    yield _Token("end", "the end of the file", position)


def _token_error(text: str, position: int) -> PackageError:
    if text[position] == '"':
        return _error(text, position, "a closing quote on the same line", "none")
    if text.startswith("/*", position):
        return _error(text, position, "'*/' after '/*'", "the end of the file")
    return _error(text, position, "a name, value or mark", repr(text[position : position + 20]))


class _Reader:
    """A recursive descent over the tokens, one of them looked at in advance."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._aliases: set[str] = set()
        self._references: list[_Token] = []
        self._next = next(self._tokens)

    def document(self) -> list[Instance]:
        instances = []
        while self._next.kind != "end":
            if self._is("#pragma"):
                self._pragma()
                continue
            self._qualifiers()
            instances.append(self._instance(0))
            self._expect(";")
        # Forward references are permitted (DSP0004, 7.9), so they are looked up last.
        for token in self._references:
            if token.text.casefold() not in self._aliases:
                raise self._error("an alias that some instance has", token)
        return instances

    def _error(self, expected: str, token: _Token | None = None) -> PackageError:
        token = token or self._next
        found = token.text if token.kind == "end" else repr(token.text[:60])
        return _error(self._text, token.start, expected, found)

    def _take(self, kind: str, expected: str) -> _Token:
        token = self._next
        if token.kind != kind:
            raise self._error(expected)
        self._next = next(self._tokens)
        return token

    def _is(self, text: str) -> bool:
        return self._next.text.lower() == text

    def _expect(self, *texts: str) -> None:
        for text in texts:
            if not self._is(text):
                raise self._error(f"'{text}'")
            self._next = next(self._tokens)

    def _pragma(self) -> None:
        self._expect("#pragma")
        self._take("name", "the name of a pragma")
        self._expect("(")
        self._take("string", "a string")
        self._expect(")")

    def _qualifiers(self) -> None:
        if self._is("["):
            while not self._is("]"):
                if self._next.kind == "end":
                    raise self._error("']'")
                self._next = next(self._tokens)
            self._expect("]")

    def _instance(self, depth: int) -> Instance:
        self._expect("instance", "of")
        class_name = self._take("name", "the name of a class").text
        alias = self._alias() if self._next.kind == "name" else None
        return Instance(class_name, alias, self._properties(depth))

    def _alias(self) -> str:
        self._expect("as")
        token = self._take("alias", "an alias, '$' and a name")
        if token.text.casefold() in self._aliases:
            raise self._error("an alias that no other instance has", token)
        self._aliases.add(token.text.casefold())
        return token.text[1:]

    def _properties(self, depth: int) -> Mapping[str, Value]:
        properties: dict[str, Value] = {}
        seen: set[str] = set()
        self._expect("{")
        while not self._is("}"):
            self._qualifiers()
            token = self._take("name", "the name of a property or '}'")
            if token.text.casefold() in seen:
                raise self._error("a property that the instance does not have yet", token)
            seen.add(token.text.casefold())
            self._expect("=")
            properties[token.text] = self._value(depth)
            self._expect(";")
        self._expect("}")
        return properties

    def _value(self, depth: int) -> Value:
        if depth >= _MAX_DEPTH:
            raise self._error(f"at most {_MAX_DEPTH} levels of values within values")
        kind, text, _ = self._next
        if kind == "string":
            return self._string()
        if kind == "number":
            return self._number()
        if kind == "alias":
            self._references.append(self._take("alias", "an alias"))
            return Reference(text[1:])
        if self._is("{"):
            return self._array(depth + 1)
        if self._is("instance"):
            return self._instance(depth + 1)
        if text.lower() in _CONSTANTS:
            self._expect(text.lower())
            return _CONSTANTS[text.lower()]
        raise self._error("a value")

    def _array(self, depth: int) -> list[Value]:
        values: list[Value] = []
        self._expect("{")
        while not self._is("}"):
            if values:
                self._expect(",")
            values.append(self._value(depth))
        self._expect("}")
        return values

    def _string(self) -> str:
        parts = []
        while self._next.kind == "string":
            parts.append(self._unescaped(self._take("string", "a string")))
        return "".join(parts)

    def _unescaped(self, token: _Token) -> str:
        def character(match: re.Match[str]) -> str:
            if match[1]:
                return chr(int(match[1], 16))
            if match[2] not in _ESCAPES:
                raise self._error("a known escape", token._replace(text=match[0]))
            return _ESCAPES[match[2]]

        text = _ESCAPE.sub(character, token.text[1:-1])
        if not any("\ud800" <= letter <= "\udfff" for letter in text):
            return text
        try:  # characters beyond the 16 bits of \x are written as two halves
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise self._error("both halves of a surrogate pair", token) from None

    def _number(self) -> int | float:
        token = self._take("number", "a number")
        try:
            return _number(token.text.lower())
        except ValueError:
            raise self._error("a valid number of at most 64 bits", token) from None


def _number(text: str) -> int | float:
    """Decimal, hexadecimal, octal (leading zero) and binary (final b) integers, and reals."""
    digits = text.lstrip("+-")
    if "." in digits and isfinite(real := float(text)):
        return real
    if len(text) > _MAX_DIGITS:
        raise ValueError(text)
    if digits.startswith("0x"):
        number = int(text, 16)
    elif digits.endswith("b"):
        number = int(text[:-1], 2)
    else:
        number = int(text, 8 if digits.startswith("0") else 10)
    if number not in _INTEGERS:
        raise ValueError(text)
    return number
