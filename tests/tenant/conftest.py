"""A small tenant over HTTPS, and the unmodified Azure SDKs pointed at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import ClientSecretCredential
from azure.mgmt.resource.policy import PolicyClient

from avma_pack.tenant.login import OWNER
from avma_pack.tenant.server import Server
from avma_pack.tenant.store import Store, Subscription
from avma_pack.tenant.world import World
from policy_requests import ask, definition, initiative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TENANT = "11111111-1111-1111-1111-111111111111"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP_ID = "/providers/Microsoft.Management/managementGroups/corp"


def make_world() -> World:
    store = Store(TENANT, "root")
    store.groups["corp"] = "root"
    store.subscriptions[SUBSCRIPTION] = Subscription(SUBSCRIPTION, "corp-one", "corp")
    return World(store)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    running = Server(world)
    yield running
    running.close()
    assert running.failures == []


@pytest.fixture
def credential(server: Server) -> ClientSecretCredential:
    return ClientSecretCredential(
        TENANT,
        OWNER,
        OWNER,
        authority=server.url,
        disable_instance_discovery=True,
        connection_verify=str(server.certificate),
    )


@pytest.fixture
def sdk(server: Server, credential: ClientSecretCredential) -> Callable[..., Any]:
    """`sdk(PolicyClient, SUBSCRIPTION)`: a client as its users make it, but for the address."""

    def make(client: type[Any], *arguments: Any, **options: Any) -> Any:
        return client(
            credential,
            *arguments,
            base_url=server.url,
            credential_scopes=[f"{server.url}/.default"],
            connection_verify=str(server.certificate),
            **options,
        )

    return make


@pytest.fixture
def policies(sdk: Callable[..., Any]) -> Any:
    return sdk(PolicyClient, SUBSCRIPTION)


@pytest.fixture
def put(policies: Any) -> Callable[..., Any]:
    """Write any policy resource by its id: status and body, through the SDK's own pipeline."""
    return lambda path, body, version="2023-04-01", method="PUT": ask(policies, method, path, body, version)


@pytest.fixture
def tags(policies: Any) -> Any:
    return policies.policy_definitions.create_or_update_at_management_group("corp", "tags", definition())


@pytest.fixture
def all_tags(policies: Any, tags: Any) -> Any:
    return policies.policy_set_definitions.create_or_update_at_management_group("corp", "all-tags", initiative())
