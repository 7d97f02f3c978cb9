"""Virtual machines, extensions and tags, over HTTPS through the pipeline that Microsoft's clients use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline import policies
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMHttpLoggingPolicy

from avma_pack.tenant.fleet import seed_fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.rest import HttpResponse
    from azure.identity import ClientSecretCredential

    from avma_pack.tenant.server import Server
    from avma_pack.tenant.world import World

VM = "Microsoft.Compute/virtualMachines"
API = "?api-version=2024-07-01"
TAG = "/providers/Microsoft.Resources/tags/default?api-version=2022-09-01"

Send = "Callable[..., HttpResponse]"


@pytest.fixture
def world(world: World) -> World:
    seed_fleet(world, machines=120, seed=3)
    return world


@pytest.fixture
def send(server: Server, credential: ClientSecretCredential) -> Iterator[Callable[..., HttpResponse]]:
    chain = [
        policies.BearerTokenCredentialPolicy(credential, f"{server.url}/.default"),
        ARMHttpLoggingPolicy(),
    ]
    client = ARMPipelineClient(server.url, policies=chain, connection_verify=str(server.certificate))

    def request(method: str, path: str, body: Any = None) -> HttpResponse:
        url = path if path.startswith("https:") else server.url + path
        return client.send_request(HttpRequest(method, url, json=body))

    with client:
        yield request


def machine_of(world: World, profile: str) -> str:
    return next(each.vm_id for each in world.guests.values() if each.profile.name == profile)


def test_machines_are_listed_page_by_page(world, send, monkeypatch):
    monkeypatch.setattr("avma_pack.tenant.world.PAGE_SIZE", 16)
    subscription = next(iter(world.guests)).split("/")[2]
    url, names, pages = f"/subscriptions/{subscription}/providers/{VM}{API}", [], 0
    while url:
        body = send("GET", url).json()
        names += [each["name"] for each in body["value"]]
        url, pages = body.get("nextLink"), pages + 1
    assert pages == 3
    assert len(names) == len(set(names)) == sum(key.split("/")[2] == subscription for key in world.guests)


def test_machines_of_one_resource_group_are_listed(world, send):
    group = next(iter(world.guests)).split("/providers/")[0]
    found = send("GET", f"{group}/providers/{VM}{API}").json()["value"]
    assert {each["id"].lower() for each in found} == {key for key in world.guests if key.startswith(group + "/")}
    missing = send("GET", f"{group}-none/providers/{VM}{API}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_a_machine_says_whether_it_runs(world, send):
    for profile, state in (("kms", "PowerState/running"), ("stopped", "PowerState/deallocated")):
        machine = machine_of(world, profile)
        view = send("GET", f"{machine}/instanceView{API}").json()
        assert state in [each["code"] for each in view["statuses"]]
        expanded = send("GET", f"{machine}{API}&$expand=instanceView").json()
        assert expanded["properties"]["instanceView"] == view
    assert "instanceView" not in send("GET", f"{machine}{API}").json()["properties"]
    assert send("GET", f"{machine}x{API}").json()["error"]["code"] == "ResourceNotFound"


def test_an_identity_is_added_and_attached_ones_stay(world, send):
    machine = machine_of(world, "user-identity-only")
    (attached,) = send("GET", f"{machine}{API}").json()["identity"]["userAssignedIdentities"]
    made = send("PATCH", f"{machine}{API}", {"identity": {"type": "SystemAssigned,UserAssigned"}}).json()
    assert made["identity"]["principalId"]
    assert list(made["identity"]["userAssignedIdentities"]) == [attached]
    body = {"identity": {"type": "SystemAssigned", "userAssignedIdentities": {attached: None}}}
    assert "userAssignedIdentities" not in send("PATCH", f"{machine}{API}", body).json()["identity"]
    assert "identity" not in send("PATCH", f"{machine}{API}", {"identity": {"type": "None"}}).json()


def test_patch_replaces_tags_and_merges_properties(world, send):
    machine = machine_of(world, "kms")
    body = {"tags": {"a": "1"}, "properties": {"hardwareProfile": {"vmSize": "Standard_B4ms"}}}
    made = send("PATCH", f"{machine}{API}", body).json()
    assert made["tags"] == {"a": "1"}
    assert made["properties"]["hardwareProfile"] == {"vmSize": "Standard_B4ms"}
    assert made["properties"]["storageProfile"] == world.store.get(machine)["properties"]["storageProfile"]


def test_a_machine_is_created_and_deleted_with_what_is_below(world, send):
    told: list[str] = []
    world.on_change.append(told.append)
    like = world.store.get(machine_of(world, "kms"))
    machine = f"{like['id']}-new"
    body = {"location": "westeurope", "properties": {"storageProfile": like["properties"]["storageProfile"]}}
    first = send("PUT", f"{machine}{API}", body)
    second = send("PUT", f"{machine}{API}", body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["properties"]["vmId"] == second.json()["properties"]["vmId"]
    assert send("PUT", f"{machine}{API}", {"properties": {}}).json()["error"]["code"] == "LocationRequired"
    send("PUT", f"{machine}/extensions/E{API}", {"properties": {"publisher": "P", "type": "T"}})
    assert send("DELETE", f"{machine}{API}").status_code == 200
    assert send("DELETE", f"{machine}{API}").status_code == 204
    assert world.store.get(f"{machine}/extensions/E") is None
    assert told.count(machine.lower()) == 4


def test_extensions_come_and_go_while_the_machine_runs(world, send):
    machine = machine_of(world, "no-extension")
    assert send("GET", f"{machine}/extensions{API}").json() == {"value": []}
    body = {"location": "westeurope", "properties": {"publisher": "P", "type": "T", "protectedSettings": {"k": "v"}}}
    made = send("PUT", f"{machine}/extensions/E{API}", body)
    assert made.status_code == 201
    assert made.json()["properties"] == {"publisher": "P", "type": "T", "provisioningState": "Succeeded"}
    assert send("PUT", f"{machine}/extensions/E{API}", body).status_code == 200
    assert send("GET", f"{machine}/extensions/E{API}").json() == made.json()
    assert send("GET", f"{machine}/extensions{API}").json() == {"value": [made.json()]}
    assert send("DELETE", f"{machine}/extensions/E{API}").status_code == 200
    assert send("DELETE", f"{machine}/extensions/E{API}").status_code == 204
    stopped = machine_of(world, "stopped")
    refused = send("PUT", f"{stopped}/extensions/E{API}", body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "OperationNotAllowed")
    orphan = send("PUT", f"{machine}x/extensions/E{API}", body)
    assert (orphan.status_code, orphan.json()["error"]["code"]) == (404, "ParentResourceNotFound")


def test_tags_are_merged_replaced_and_deleted_by_name_ignoring_case(world, send):
    machine = machine_of(world, "kms")

    def patch(operation: str, tags: dict[str, str]) -> dict[str, str]:
        answered = send("PATCH", machine + TAG, {"operation": operation, "properties": {"tags": tags}})
        assert answered.json()["id"] == f"{machine}/providers/Microsoft.Resources/tags/default"
        return answered.json()["properties"]["tags"]

    assert patch("Replace", {"Env": "test", "owner": "me"}) == {"Env": "test", "owner": "me"}
    assert patch("Merge", {"env": "prod"}) == {"owner": "me", "env": "prod"}
    assert patch("Delete", {"OWNER": "me"}) == {"env": "prod"}
    assert send("GET", machine + TAG).json()["properties"]["tags"] == {"env": "prod"}
    assert send("GET", f"{machine}{API}").json()["tags"] == {"env": "prod"}
    assert send("PUT", machine + TAG, {"properties": {"tags": {"x": "y"}}}).json()["properties"]["tags"] == {"x": "y"}
    assert send("PATCH", machine + TAG, {"operation": "?", "properties": {"tags": {}}}).status_code == 400
    assert send("DELETE", machine + TAG).status_code == 200
    assert world.store.get(machine)["tags"] == {}
