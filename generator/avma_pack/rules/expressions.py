"""Compiles template expressions to closures, and resolves them inside any JSON value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from avma_pack.rules.errors import RuleError
from avma_pack.rules.functions import check_arity, find_function
from avma_pack.rules.lexer import is_expression, plain_text
from avma_pack.rules.policy_functions import POLICY_FUNCTIONS, Arguments, Counted
from avma_pack.rules.scope import EMPTY_SCOPE, NO_RESOURCE, Context, Scope
from avma_pack.rules.syntax import MAX_DEPTH, Call, Index, Literal, Node, Property, parse
from avma_pack.rules.values import kind_of, member

if TYPE_CHECKING:
    from avma_pack.rules.scope import Json, Read

NOT_COUNTED = Counted()
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled template expression."""

    text: str
    read: Read

    def evaluate(self, scope: Scope = EMPTY_SCOPE) -> Json:
        """Its value.

        Raises:
            RuleError: a function refuses its arguments, or the scope lacks what it asks for.
        """
        return self.read(_context(scope))


def compile_expression(text: str) -> Expression:
    """Compile a string like `[concat(parameters('a'), 'b')]`.

    Raises:
        RuleError: it is no expression, malformed, or uses a function or a number of arguments unknown here.
    """
    if not is_expression(text):
        raise RuleError(f"{text!r} is no expression: it does not stand between [ and ]")
    return Expression(text, compile_text(text, NOT_COUNTED))


def evaluate(value: Json, scope: Scope = EMPTY_SCOPE) -> Json:
    """Resolve every expression inside a JSON value, names of properties included; the value itself is not changed.

    Meant for the parameters of a deployment (with the scope of the policy) and for its template (with a scope that
    has the template's parameters).

    Raises:
        RuleError: as compile_expression and Expression.evaluate.
    """
    return resolve(value, _context(scope), NOT_COUNTED)


def resolve(value: Json, context: Context, counted: Counted, depth: int = 1) -> Json:
    """The same in the midst of deciding a rule."""
    if isinstance(value, str):
        return compile_text(value, counted)(context) if is_expression(value) else plain_text(value)
    if isinstance(value, (list, dict)) and depth > MAX_DEPTH:
        raise RuleError(f"the value nests deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        return [resolve(each, context, counted, depth + 1) for each in value]
    if isinstance(value, dict):
        return {
            _key(name, context, counted): resolve(each, context, counted, depth + 1) for name, each in value.items()
        }
    return value


def holds_expressions(value: Json, counted: Counted, depth: int = 1) -> bool:
    """Tell whether there are expressions inside; each is compiled, so that a malformed one is found now."""
    if isinstance(value, str):
        return is_expression(value) and bool(compile_text(value, counted))
    if not isinstance(value, (list, dict)):
        return False
    if depth > MAX_DEPTH:
        raise RuleError(f"the value nests deeper than {MAX_DEPTH}")
    parts = value if isinstance(value, list) else [part for item in value.items() for part in item]
    found = [holds_expressions(part, counted, depth + 1) for part in parts]
    return any(found)


@lru_cache(maxsize=4096)
def compile_text(text: str, counted: Counted) -> Read:
    """Compile an expression inside the counts around it. Errors name the expression."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    node = parse(text)
    try:
        read = _compile(node, counted)
    except RuleError as error:
        raise error.within(shown) from None

    def located(context: Context) -> Json:
        try:
            return read(context)
        except RuleError as error:
            raise error.within(shown) from error

    return located


def is_bare_parameter(value: Json) -> bool:
    """Tell whether a value is `[parameters('X')]` and nothing else."""
    if not isinstance(value, str) or not is_expression(value):
        return False
    node = parse(value)
    return isinstance(node, Call) and node.name == "parameters"


def _context(scope: Scope) -> Context:
    return Context(NO_RESOURCE if scope.resource is None else scope.resource, scope)


def _key(name: str, context: Context, counted: Counted) -> str:
    key = resolve(name, context, counted)
    if not isinstance(key, str):
        raise RuleError(f"{name} names a property, and gives {kind_of(key)}")
    return key


def _compile(node: Node, counted: Counted) -> Read:
    match node:
        case Literal(value):
            return lambda _: value
        case Property(target, name):
            return _property(_compile(target, counted), name)
        case Index(target, key):
            return _index(_compile(target, counted), _compile(key, counted))
        case Call():
            return _call(node, counted)


def _call(node: Call, counted: Counted) -> Read:
    reads = tuple(_compile(argument, counted) for argument in node.arguments)
    if node.name in POLICY_FUNCTIONS:
        name, least, most, builder = POLICY_FUNCTIONS[node.name]
        check_arity(name, len(reads), least, most)
        return builder(Arguments(node.arguments, reads, counted))
    function = find_function(node.name)
    if function is None:
        raise RuleError(f"the function {node.written}() is not known here")
    check_arity(function.name, len(reads), function.least, function.most)
    body = function.body
    return lambda context: body(*[read(context) for read in reads])


def _property(target: Read, name: str) -> Read:
    def read(context: Context) -> Json:
        return _look_up(target(context), name)

    return read


def _index(target: Read, key: Read) -> Read:
    def read(context: Context) -> Json:
        container, at = target(context), key(context)
        if isinstance(container, list) and isinstance(at, int) and not isinstance(at, bool):
            if not 0 <= at < len(container):
                raise RuleError(f"index {at} is outside an array of {len(container)}")
            return container[at]
        if isinstance(at, str):
            return _look_up(container, at)
        raise RuleError(f"{kind_of(container)} has no index {at!r}")

    return read


def _look_up(container: Json, name: str) -> Json:
    """A property that may be null but must be there: Azure's evaluation fails otherwise."""
    if not isinstance(container, dict):
        raise RuleError(f"{kind_of(container)} has no property {name!r}")
    found = member(container, name)
    if found is None and not any(key.lower() == name.lower() for key in container):
        raise RuleError(f"the object has no property {name!r}; it has {', '.join(map(repr, container)) or 'none'}")
    return found
