"""A small tenant over HTTPS, and the unmodified Azure SDKs pointed at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import ClientSecretCredential

from avma_pack.tenant.login import OWNER
from avma_pack.tenant.server import Server
from avma_pack.tenant.store import Store, Subscription
from avma_pack.tenant.world import World

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
