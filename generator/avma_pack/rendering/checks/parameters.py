"""Declared parameters and the values that they are given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.json_tree import as_array, as_object, as_text, below
from avma_pack.rendering.checks.model import PARAMETERS
from avma_pack.rendering.checks.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rendering.checks.json_tree import JsonObject

_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "array": list,
    "object": dict,
    "boolean": bool,
    "integer": int,
    "float": (int, float),
    "datetime": str,
}


def parameter_type(declaration: object) -> str:
    """Return the declared type in lower case, empty when there is none."""
    return as_text(as_object(declaration).get("type")).lower()


def value_faults(declaration: object, value: object) -> Iterator[str]:
    """Say why a parameter cannot take a value: its type, or its allowed values.

    Azure compares allowed values with regard to case when a policy is assigned (learn.microsoft.com, Azure
    Policy definition structure parameters), though rules compare without.
    """
    kind = parameter_type(declaration)
    expected = _JSON_TYPES.get(kind)
    # In Python a bool is an int; in JSON true is not a number.
    is_stray_bool = isinstance(value, bool) and kind in {"integer", "float"}
    if expected is not None and (is_stray_bool or not isinstance(value, expected)):
        yield f"{json.dumps(value)} is not of the parameter's type, {kind}"
    allowed = as_object(declaration).get("allowedValues")
    if isinstance(allowed, list) and value not in allowed:
        yield f"{json.dumps(value)} is not one of the allowed values {json.dumps(allowed)}"


def check_declarations(parameters: JsonObject) -> Iterator[Problem]:
    """Check that each declared parameter has a type Azure Policy knows, and a default that it may take."""
    for name, declaration in parameters.items():
        where = below(PARAMETERS, name)
        if parameter_type(declaration) not in _JSON_TYPES:
            known = ", ".join(_JSON_TYPES)
            message = f"the parameter '{name}' has no type, or one that is none of {known}"
            yield Problem("parameter-type", where, message)
        members = as_object(declaration)
        if "defaultValue" in members:
            for fault in value_faults(declaration, members["defaultValue"]):
                yield Problem("parameter-default", f"{where}.defaultValue", f"the default value {fault}")
        for value in as_array(members.get("allowedValues")):
            for fault in value_faults({"type": members.get("type")}, value):
                yield Problem("parameter-allowed-values", f"{where}.allowedValues", f"the value {fault}")
