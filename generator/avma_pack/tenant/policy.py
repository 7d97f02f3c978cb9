"""Azure Policy: definitions, initiatives, assignments and exemptions."""

from __future__ import annotations

from avma_pack.tenant import policy_assignments, policy_definitions, policy_exemptions, policy_sets
from avma_pack.tenant.arm import Routes

routes = Routes()
for part in (policy_definitions, policy_sets, policy_assignments, policy_exemptions):
    routes.merge(part.routes)
