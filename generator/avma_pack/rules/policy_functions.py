"""The functions that read the resource, the scope or the count around them, and `if`.

https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule#policy-functions.
`ipRangeContains` and the functions that Azure leaves out of policies are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from avma_pack.rules.aliases import parse_alias
from avma_pack.rules.errors import RuleError
from avma_pack.rules.fields import parse_field
from avma_pack.rules.scope import NO_RESOURCE
from avma_pack.rules.syntax import Literal, Node
from avma_pack.rules.values import format_moment, kind_of, parse_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from avma_pack.rules.fields import Field
    from avma_pack.rules.scope import Context, Json, Read

    Builder: TypeAlias = Callable[["Arguments"], Read]


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts around an expression, outermost first: index names and array aliases, in lower case.

    `bound` are all arrays of which a single member is seen: those counted, and those on the way to them.
    """

    names: tuple[str, ...] = ()
    bound: frozenset[str] = frozenset()

    def inside(self, name: str, bound: Sequence[str]) -> Counted:
        """The same within one more count."""
        return Counted((*self.names, name), self.bound.union(bound))


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call: as parsed, compiled, and the counts around it."""

    nodes: tuple[Node, ...]
    reads: tuple[Read, ...]
    counted: Counted

    def literal(self) -> str | None:
        """The first argument when it is a string literal."""
        first = self.nodes[0] if self.nodes else None
        return first.value if isinstance(first, Literal) and isinstance(first.value, str) else None


def _if(arguments: Arguments) -> Read:
    """Evaluates the branch that is taken, and no other."""
    condition, when_true, when_false = arguments.reads

    def read(context: Context) -> Json:
        chosen = condition(context)
        if not isinstance(chosen, bool):
            raise RuleError(f"if() takes a boolean as its condition, not {kind_of(chosen)}")
        return when_true(context) if chosen else when_false(context)

    return read


def _parameters(arguments: Arguments) -> Read:
    name = _name("parameters", arguments)
    return lambda context: context.scope.parameter(name(context))


def _field(arguments: Arguments) -> Read:
    """Reads the resource of the `if` block, wherever it stands."""
    written = arguments.literal()
    fixed = parse_field(written) if written is not None else None
    name = _name("field", arguments)

    def read(context: Context) -> Json:
        seen = context.of_field_function()
        if seen.resource is NO_RESOURCE:
            raise RuleError("field() has no resource to read")
        field: Field = fixed or parse_field(name(context))
        return field.function_value(seen)

    return read


def _current(arguments: Arguments) -> Read:
    """The member that a count enumerates: by index name, by array alias, or by alias of a property of the member."""
    counted = arguments.counted
    if not counted.names:
        raise RuleError("current() is only known inside the where of a count")
    if not arguments.nodes:
        if len(counted.names) > 1:
            raise RuleError("current() inside a count of a count needs the name of one")
        return _bound_member(counted.names[0])
    name = arguments.literal()
    if name is None:
        raise RuleError("current() takes a string literal")
    if name.lower() in counted.bound:
        return _bound_member(name.lower())
    alias = parse_alias(name) if "/" in name else None
    if not alias or not counted.bound.intersection(alias.keys):
        raise RuleError(f"current({name!r}) belongs to no count around it")
    if all(key in counted.bound for key in alias.keys):
        return lambda context: alias.values(context)[0]
    return alias.values


def _bound_member(key: str) -> Read:
    return lambda context: (context.members or {})[key]


def _add_days(arguments: Arguments) -> Read:
    start, days = arguments.reads

    def read(context: Context) -> str:
        text, number = start(context), days(context)
        moment = parse_moment(text) if isinstance(text, str) else None
        if moment is None or not isinstance(number, int) or isinstance(number, bool):
            raise RuleError(f"addDays() takes a moment and a number of days, not {text!r} and {number!r}")
        try:
            return format_moment(moment + timedelta(days=number))
        except OverflowError:
            raise RuleError(f"addDays() leaves the calendar: {text} and {number} days") from None

    return read


def _name(function: str, arguments: Arguments) -> Callable[[Context], str]:
    """The first argument as a name; a string literal is not evaluated again."""
    written, read = arguments.literal(), arguments.reads[0]
    if written is not None:
        return lambda _: written

    def name(context: Context) -> str:
        value = read(context)
        if not isinstance(value, str):
            raise RuleError(f"{function}() takes a name, not {kind_of(value)}")
        return value

    return name


def _of_scope(function: str, attribute: str, convert: Callable[[Json], Json]) -> Builder:
    """A function without arguments that returns what the scope knows."""

    def builder(_: Arguments) -> Read:
        def read(context: Context) -> Json:
            found = getattr(context.scope, attribute)
            if found is None:
                raise RuleError(f"{function}() is not known in this scope")
            return convert(found)

        return read

    return builder


def _identity(value: Json) -> Json:
    return value


POLICY_FUNCTIONS: dict[str, tuple[str, int, int, Builder]] = {
    name.lower(): (name, least, most, builder)
    for name, least, most, builder in (
        ("if", 3, 3, _if),
        ("parameters", 1, 1, _parameters),
        ("field", 1, 1, _field),
        ("current", 0, 1, _current),
        ("addDays", 2, 2, _add_days),
        ("policy", 0, 0, _of_scope("policy", "policy", lambda policy: policy.to_json())),
        ("requestContext", 0, 0, _of_scope("requestContext", "api_version", lambda version: {"apiVersion": version})),
        ("resourceGroup", 0, 0, _of_scope("resourceGroup", "resource_group", _identity)),
        ("subscription", 0, 0, _of_scope("subscription", "subscription", _identity)),
        ("utcNow", 0, 0, _of_scope("utcNow", "utc_now", format_moment)),
    )
}
"""Name in lower case -> name, least and most arguments, builder."""
