"""Microsoft's validator, started once for all tests of a process, and a tenant to check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import ClientSecretCredential

from avma_pack.tenant import OWNER, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(machines=60, seed=7) as running:
        yield running


@pytest.fixture
def credential(tenant: Tenant) -> ClientSecretCredential:
    return ClientSecretCredential(
        tenant.world.store.tenant_id,
        OWNER,
        OWNER,
        authority=tenant.url,
        disable_instance_discovery=True,
        connection_verify=str(tenant.certificate),
    )


@pytest.fixture
def sdk(tenant: Tenant, credential: ClientSecretCredential) -> Iterator[Callable[..., Any]]:
    """`sdk(PolicyClient, SUBSCRIPTION)`: a client as its users make it, but for the address."""
    made = []

    def make(client: type[Any], *arguments: Any) -> Any:
        made.append(
            client(
                credential,
                *arguments,
                base_url=tenant.url,
                credential_scopes=[f"{tenant.url}/.default"],
                connection_verify=str(tenant.certificate),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()
