"""A small part of the Kusto Query Language, as Azure Resource Graph speaks it.

`parse` a query, make a `plan` of it for the columns of its table, and run that on rows.
"""

from avma_pack.tenant.kql.errors import QueryError
from avma_pack.tenant.kql.hints import wanted_types
from avma_pack.tenant.kql.parser import parse
from avma_pack.tenant.kql.scalars import Schema
from avma_pack.tenant.kql.syntax import Query
from avma_pack.tenant.kql.tabular import Plan, Result, plan
from avma_pack.tenant.kql.values import Row

__all__ = ["Plan", "Query", "QueryError", "Result", "Row", "Schema", "parse", "plan", "wanted_types"]
