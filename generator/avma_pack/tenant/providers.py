"""Every provider of the tenant, under one set of routes."""

from __future__ import annotations

from avma_pack.tenant import (
    authorization,
    compute,
    guest_configuration,
    management,
    policy,
    policy_insights,
    resource_graph,
    subscriptions,
)
from avma_pack.tenant.arm import Routes

ROUTES = Routes()
for provider in (
    management,
    policy,
    authorization,
    compute,
    guest_configuration,
    policy_insights,
    resource_graph,
    subscriptions,
):
    ROUTES.merge(provider.routes)
