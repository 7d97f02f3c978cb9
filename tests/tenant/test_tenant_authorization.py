"""Roles and their assignments, asked by Microsoft's SDK."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient

from avma_pack.tenant.authorization import ROLES
from avma_pack.tenant.faults import Faults
from avma_pack.tenant.identities import remove_identity, system_identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
CORP = "/providers/Microsoft.Management/managementGroups/corp"
ROOT = "/providers/Microsoft.Management/managementGroups/root"
ASSIGNMENT = f"{CORP}/providers/Microsoft.Authorization/policyAssignments/avma-pack"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SOMEBODY = "aaaaaaaa-0000-0000-0000-000000000001"


def role_id(guid: str, scope: str = "") -> str:
    return f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{guid}"


def name(number: int) -> str:
    return str(uuid.UUID(int=number))


@pytest.fixture
def client(sdk: Callable[..., Any]) -> Any:
    return sdk(AuthorizationManagementClient, SUBSCRIPTION.rpartition("/")[2])


@pytest.fixture
def assign(client: Any) -> Callable[..., Any]:
    def put(number: int, scope: str = CORP, principal: str = SOMEBODY, role: str = READER, **more: Any) -> Any:
        properties = {"roleDefinitionId": role_id(role), "principalId": principal, **more}
        return client.role_assignments.create(scope, name(number), {"properties": properties})

    return put


def refused(call: Callable[[], Any]) -> tuple[int | None, str | None]:
    with pytest.raises(HttpResponseError) as error:
        call()
    return error.value.status_code, error.value.error.code if error.value.error else None


def test_roles_are_found_by_id_and_by_name(client: Any) -> None:
    found = client.role_definitions.get(SUBSCRIPTION, CONTRIBUTOR)
    assert (found.role_name, found.role_type, found.id) == (
        "Contributor",
        "BuiltInRole",
        role_id(CONTRIBUTOR, SUBSCRIPTION),
    )
    assert client.role_definitions.get_by_id(role_id(CONTRIBUTOR)).id == role_id(CONTRIBUTOR)
    listed = list(client.role_definitions.list(CORP, filter="roleName eq 'Guest Configuration Resource Contributor'"))
    assert [each.name for each in listed] == ["088ab73d-1256-47ae-bea9-9de8e7131f31"]
    assert len(list(client.role_definitions.list(CORP))) == len(ROLES)


def test_an_unknown_role_is_refused(client: Any, assign: Callable[..., Any]) -> None:
    wanted = (404, "RoleDefinitionDoesNotExist")
    assert refused(lambda: client.role_definitions.get(CORP, name(7))) == wanted
    assert refused(lambda: assign(1, role=name(7))) == wanted


def test_a_role_assignment_is_created_read_listed_and_deleted(client: Any, assign: Callable[..., Any]) -> None:
    made = assign(1, description="for the pack", principalType="ServicePrincipal")
    assert made.id == f"{CORP}/providers/Microsoft.Authorization/roleAssignments/{name(1)}"
    assert (made.scope, made.principal_type, made.description) == (CORP, "ServicePrincipal", "for the pack")
    assert client.role_assignments.get(CORP, name(1)).principal_id == SOMEBODY
    assert assign(1).id == made.id  # the same again is an update
    assert client.role_assignments.delete(CORP, name(1)).name == name(1)
    assert client.role_assignments.delete(CORP, name(1)) is None
    assert refused(lambda: client.role_assignments.get(CORP, name(1)))[0] == 404


def test_role_ids_lose_their_scope(client: Any) -> None:
    body = {"properties": {"roleDefinitionId": role_id(READER, SUBSCRIPTION), "principalId": SOMEBODY}}
    made = client.role_assignments.create(SUBSCRIPTION.lstrip("/"), name(1), body)
    assert made.role_definition_id == role_id(READER)


def test_lists_reach_up_and_down_but_not_down_with_at_scope(client: Any, assign: Callable[..., Any]) -> None:
    assign(1, ROOT)
    assign(2, CORP)
    assign(3, SUBSCRIPTION, role=CONTRIBUTOR)
    assign(4, SUBSCRIPTION, principal=name(9))

    def names(scope: str, text: str | None = None) -> list[int]:
        found = client.role_assignments.list_for_scope(scope, filter=text)
        return sorted(uuid.UUID(each.name).int for each in found)

    assert names(CORP) == [1, 2, 3, 4]
    assert names(CORP, "atScope()") == [1, 2]
    assert names(SUBSCRIPTION, f"principalId eq '{SOMEBODY}'") == [1, 2, 3]
    assert names(SUBSCRIPTION, f"atScope() and assignedTo('{name(9)}')") == [4]
    assert names(ROOT, "atScope()") == [1]
    assert refused(lambda: names(CORP, "scope ne 'x'")) == (400, "InvalidFilterInQueryString")


def test_the_same_triple_under_another_name_exists_already(assign: Callable[..., Any]) -> None:
    assign(1)
    assert refused(lambda: assign(2)) == (409, "RoleAssignmentExists")
    assign(3, ROOT)
    assign(4, role=CONTRIBUTOR)


def test_a_name_is_a_guid_and_keeps_its_principal(client: Any, assign: Callable[..., Any]) -> None:
    assign(1)
    assert refused(lambda: assign(1, principal=name(9))) == (400, "RoleAssignmentUpdateNotPermitted")
    body = {"properties": {"roleDefinitionId": role_id(READER), "principalId": SOMEBODY}}
    assert refused(lambda: client.role_assignments.create(CORP, "mine", body)) == (400, "InvalidRoleAssignmentId")


NOT_FOUND = (400, "PrincipalNotFound")


def test_a_new_identity_is_unknown_at_first(assign: Callable[..., Any], world: World) -> None:
    principal = system_identity(world, ASSIGNMENT)
    attempts = [lambda: assign(1, principal=principal, principalType="ServicePrincipal")] * 2
    assert [refused(each) for each in attempts] == [NOT_FOUND, NOT_FOUND]
    assert assign(1, principal=principal).principal_type == "ServicePrincipal"


def test_a_new_identity_is_known_after_a_while(assign: Callable[..., Any], world: World) -> None:
    principal = system_identity(world, ASSIGNMENT)
    world.clock.advance(dt.timedelta(minutes=2))
    assert assign(1, principal=principal).principal_id == principal


def test_the_directory_can_lag(assign: Callable[..., Any], world: World) -> None:
    world.faults = Faults(frozenset({"identity-lag"}), rate=0)
    principal = system_identity(world, ASSIGNMENT)
    world.clock.advance(dt.timedelta(minutes=2))
    assert [refused(lambda: assign(1, principal=principal)) for _ in range(5)] == [NOT_FOUND] * 5
    assign(1, principal=principal)


def test_an_identity_that_is_gone_stays_unknown_and_comes_back_as_another(
    client: Any, assign: Callable[..., Any], world: World
) -> None:
    principal = system_identity(world, ASSIGNMENT)
    world.clock.advance(dt.timedelta(hours=1))
    assign(1, principal=principal)
    remove_identity(world, ASSIGNMENT)
    assert refused(lambda: assign(2, ROOT, principal)) == NOT_FOUND
    assert client.role_assignments.get(CORP, name(1)).principal_id == principal
    assert system_identity(world, ASSIGNMENT) != principal
