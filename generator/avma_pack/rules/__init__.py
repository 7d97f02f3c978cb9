"""Evaluates Azure Policy rules and template expressions: pure, from parsed JSON to a decision.

`compile_condition` turns the `if` of a rule, or an existence condition, into a Condition, which `matches` a resource
or `decide`s on it with reasons. `evaluate` resolves the expressions of deployments. What is outside its reach is a
RuleError, when compiling wherever that can be known then; nothing is silently false.
"""

from avma_pack.rules.conditions import Condition, compile_condition
from avma_pack.rules.decision import Decision
from avma_pack.rules.errors import RuleError
from avma_pack.rules.expressions import Expression, compile_expression, evaluate
from avma_pack.rules.scope import PolicyContext, Scope

__all__ = [
    "Condition",
    "Decision",
    "Expression",
    "PolicyContext",
    "RuleError",
    "Scope",
    "compile_condition",
    "compile_expression",
    "evaluate",
]
