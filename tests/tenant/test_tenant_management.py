"""Management groups, subscriptions, resource groups and providers, asked by Microsoft's SDK where there is one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient

from avma_pack.tenant.arm import parse_path
from avma_pack.tenant.faults import Faults
from avma_pack.tenant.store import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from avma_pack.tenant.world import World

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GUEST_CONFIGURATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.GuestConfiguration"


@pytest.fixture
def groups(sdk: Callable[..., Any]) -> Any:
    return sdk(ManagementGroupsMgmtClient)


@pytest.fixture
def arm(groups: Any) -> Callable[..., Any]:
    """Plain requests through the SDK's own pipeline, for what has no SDK here."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        request = HttpRequest(method, path, params={"api-version": "2022-09-01"}, json=body)
        response = groups.send_request(request)
        return response.status_code, response.json()

    return ask


def test_groups_are_listed_with_the_root(groups: Any) -> None:
    assert [(each.name, each.display_name) for each in groups.management_groups.list()] == [
        ("root", "Tenant Root Group"),
        ("corp", "corp"),
    ]


def test_a_group_knows_its_parent_and_its_ancestors(groups: Any, world: World) -> None:
    world.store.groups["platform"] = "corp"
    found = groups.management_groups.get("PLATFORM", expand="ancestors")
    assert found.name == "platform"
    assert found.details.parent.name == "corp"
    assert [each.name for each in found.details.management_group_ancestors_chain] == ["corp", "root"]
    assert groups.management_groups.get("root").details.parent is None


def test_a_path_begins_at_the_root(groups: Any) -> None:
    path = groups.management_groups.get("corp", expand="path").details.path
    assert [each.name for each in path] == ["root", "corp"]


def test_children_are_nested_only_when_asked(groups: Any) -> None:
    shallow = groups.management_groups.get("root", expand="children")
    assert [(each.name, each.children) for each in shallow.children] == [("corp", None)]
    deep = groups.management_groups.get("root", expand="children", recurse=True)
    assert [each.name for each in deep.children[0].children] == [SUBSCRIPTION]


def test_descendants_are_groups_and_subscriptions_at_every_depth(groups: Any) -> None:
    found = {each.name: (each.type, each.parent.id) for each in groups.management_groups.get_descendants("root")}
    prefix = "/providers/Microsoft.Management/managementGroups/"
    assert found == {
        "corp": ("Microsoft.Management/managementGroups", f"{prefix}root"),
        SUBSCRIPTION: ("Microsoft.Management/managementGroups/subscriptions", f"{prefix}corp"),
    }


def test_descendants_come_in_pages(groups: Any, world: World) -> None:
    world.faults = Faults(frozenset({"small-pages"}), rate=0)
    for number in range(2, 9):
        made = f"00000000-0000-0000-0000-00000000000{number}"
        world.store.subscriptions[made] = Subscription(made, f"corp-{number}", "corp")
    pages = [list(each) for each in groups.management_groups.get_descendants("corp").by_page()]
    assert [len(each) for each in pages] == [3, 3, 2]


def test_subscriptions_of_a_group_are_those_directly_in_it(groups: Any) -> None:
    of = groups.management_group_subscriptions
    assert [each.name for each in of.get_subscriptions_under_management_group("corp")] == [SUBSCRIPTION]
    assert list(of.get_subscriptions_under_management_group("root")) == []
    assert of.get_subscription("corp", SUBSCRIPTION).state == "Active"


def test_a_group_that_is_not_there_is_forbidden(groups: Any) -> None:
    with pytest.raises(HttpResponseError) as refused:
        groups.management_groups.get("nowhere")
    assert (refused.value.status_code, refused.value.error.code) == (403, "AuthorizationFailed")


def test_tenants_and_subscriptions(arm: Callable[..., Any], world: World) -> None:
    assert arm("GET", "/tenants")[1]["value"][0]["tenantId"] == world.store.tenant_id
    _, listed = arm("GET", "/subscriptions")
    assert listed["count"] == {"type": "Total", "value": 1}
    assert listed["value"] == [arm("GET", f"/subscriptions/{SUBSCRIPTION}")[1]]
    assert listed["value"][0]["state"] == "Enabled"
    status, refusal = arm("GET", "/subscriptions/00000000-0000-0000-0000-00000000dead")
    assert (status, refusal["error"]["code"]) == (404, "SubscriptionNotFound")


def test_resource_groups(arm: Callable[..., Any]) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-one"
    assert arm("GET", path)[1]["error"]["code"] == "ResourceGroupNotFound"
    assert arm("PUT", path, {})[1]["error"]["code"] == "LocationRequired"
    assert arm("PUT", path, {"location": "westeurope"})[0] == 201
    assert arm("PUT", path, {"location": "westeurope", "tags": {"a": "b"}})[0] == 200
    assert arm("GET", path.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))[1]["tags"] == {"a": "b"}
    assert [each["name"] for each in arm("GET", path.rpartition("/")[0])[1]["value"]] == ["rg-one"]


def test_a_registration_takes_time(arm: Callable[..., Any], world: World) -> None:
    assert arm("GET", GUEST_CONFIGURATION)[1]["registrationState"] == "NotRegistered"
    assert arm("POST", f"{GUEST_CONFIGURATION}/register") == (200, arm("GET", GUEST_CONFIGURATION)[1])
    assert arm("GET", GUEST_CONFIGURATION)[1]["registrationState"] == "Registering"
    world.clock.advance(dt.timedelta(minutes=3))
    assert arm("GET", GUEST_CONFIGURATION)[1]["registrationState"] == "Registered"
    assert arm("POST", f"{GUEST_CONFIGURATION}/register")[1]["registrationState"] == "Registered"


def test_a_registration_ends_for_a_client_that_only_looks(arm: Callable[..., Any]) -> None:
    arm("POST", f"{GUEST_CONFIGURATION}/register")
    assert [arm("GET", GUEST_CONFIGURATION)[1]["registrationState"] for _ in range(3)] == [
        "Registering",
        "Registering",
        "Registered",
    ]


def test_providers_of_the_tenant_have_no_state(arm: Callable[..., Any]) -> None:
    listed = arm("GET", f"/subscriptions/{SUBSCRIPTION}/providers")[1]["value"]
    states = {each["namespace"]: each["registrationState"] for each in listed}
    assert (states["Microsoft.Authorization"], states["Microsoft.Compute"]) == ("Registered", "NotRegistered")
    assert "registrationState" not in arm("GET", "/providers/Microsoft.Compute")[1]
    assert arm("GET", "/providers/Contoso.Nothing")[1]["error"]["code"] == "InvalidResourceNamespace"


@pytest.mark.parametrize(
    ("path", "kind", "names"),
    [
        ("/subscriptions/s", "microsoft.resources/subscriptions", ("s",)),
        ("/subscriptions/s/resourceGroups/g", "microsoft.resources/subscriptions/resourcegroups", ("s", "g")),
        ("/subscriptions/s/providers/Contoso.A", "microsoft.resources/providers", ("Contoso.A",)),
        ("/subscriptions/s/providers/Contoso.A/register", "microsoft.resources/providers/register", ("Contoso.A",)),
        ("/subscriptions/s/providers/Contoso.A/things/t", "contoso.a/things", ("t",)),
    ],
)
def test_paths_name_types(path: str, kind: str, names: tuple[str, ...]) -> None:
    parsed = parse_path(path)
    assert (parsed.type, parsed.names) == (kind, names)
