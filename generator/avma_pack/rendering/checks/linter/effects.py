"""Rules on the effect of a definition."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from avma_pack.rendering.checks.json_tree import as_array, as_text, below
from avma_pack.rendering.checks.linter.rule import Finding
from avma_pack.rendering.checks.model import EFFECT, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from avma_pack.rendering.checks.model import Definition

_ENFORCING = frozenset({"deny", "denyaction", "modify", "append", "deployifnotexists"})
# Effects that one rule can have in turn (learn.microsoft.com, Azure Policy effect basics, "Interchanging
# effects"); Disabled goes with all.
_INTERCHANGEABLE = (
    frozenset({"audit", "deny", "modify"}),
    frozenset({"audit", "deny", "append"}),
    frozenset({"auditifnotexists", "deployifnotexists"}),
    frozenset({"denyaction", "auditaction"}),
    frozenset({"manual"}),
)
_ROLE_ASSIGNMENTS = (
    "microsoft.authorization/roleassignments",
    "microsoft.authorization/roleassignmentschedulerequests",
)


def mixed_effects(definition: Definition) -> Iterator[Finding]:
    """Find allowed values that no one rule can serve; data plane modes have effects of their own."""
    effects = definition.effect.values - {"disabled"}
    is_data_plane = "." in as_text(definition.properties.get("mode"))
    if definition.effect.parameter and not is_data_plane and not any(effects <= s for s in _INTERCHANGEABLE):
        where = f"{below(PARAMETERS, definition.effect.parameter)}.allowedValues"
        yield Finding(where, f"the effects {', '.join(sorted(effects))} are not interchangeable")


def blocked_role_assignments(definition: Definition) -> Iterator[Finding]:
    """Find a deny of role assignments: it could lock out who would have to undo it."""
    effect = definition.effect
    if "deny" not in effect.values and not (effect.parameter and effect.unconstrained):
        return
    for condition in definition.conditions:
        if condition.negated or condition.field.lower() != "type":
            continue
        body = condition.body
        targets = [*as_array(body.get("in")), *(body[op] for op in ("equals", "like") if op in body)]
        patterns = [as_text(target).lower() for target in targets]
        if any(fnmatch.fnmatchcase(kind, pattern) for kind in _ROLE_ASSIGNMENTS for pattern in patterns):
            yield Finding(condition.where, "the rule can deny role assignments, its own undoing included")


def missing_allowed_values(definition: Definition) -> Iterator[Finding]:
    """Find an effect parameter that takes any value."""
    effect = definition.effect
    if effect.parameter and effect.unconstrained:
        where = below(PARAMETERS, effect.parameter)
        yield Finding(where, f"the effect parameter '{effect.parameter}' has no allowedValues")


def missing_default_value(definition: Definition) -> Iterator[Finding]:
    """Find an effect parameter that every assignment has to set."""
    effect = definition.effect
    if effect.parameter and "defaultValue" not in effect.declaration:
        where = below(PARAMETERS, effect.parameter)
        yield Finding(where, f"the effect parameter '{effect.parameter}' has no defaultValue")


def risky_default_value(definition: Definition) -> Iterator[Finding]:
    """Find an effect parameter that enforces unless told otherwise."""
    effect = definition.effect
    default = as_text(effect.declaration.get("defaultValue"))
    if default.lower() in _ENFORCING:
        where = f"{below(PARAMETERS, effect.parameter)}.defaultValue"
        yield Finding(where, f"the effect defaults to {default}, so an assignment enforces unasked")


def hard_coded_enforcement(definition: Definition) -> Iterator[Finding]:
    """Find an enforcing effect that an assignment cannot soften."""
    literal = definition.effect.literal
    if literal.lower() in _ENFORCING:
        yield Finding(EFFECT, f"the effect {literal} is hard-coded; make it a parameter")
