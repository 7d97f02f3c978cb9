"""The policy engine: whom assignments reach, states, remediation by the rights an identity has, cleaning up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tenant_machines as machines
from avma_pack.rules import RuleError
from avma_pack.settings import RemediationMode
from avma_pack.tenant.engine import Engine

if TYPE_CHECKING:
    from avma_pack.tenant.deployments import Problem
    from avma_pack.tenant.world import World

GUEST_CONTRIBUTOR = "088ab73d-1256-47ae-bea9-9de8e7131f31"
VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"


def states(engine: Engine, reference: str = "audit") -> dict[str, str]:
    """State by machine name."""
    standing = engine.standing((machines.ASSIGNMENT.lower(), reference.lower()))
    assert standing is not None
    return {key.rpartition("/")[2]: state.state for key, state in standing.states.items()}


def change_assignment(world: World, **properties: Any) -> None:
    old = world.store.get(machines.ASSIGNMENT)
    assert old is not None
    world.store.put({**old, "properties": {**old["properties"], **properties}})
    machines.tell(world, machines.ASSIGNMENT)


def exempt(world: World, scope: str, **properties: Any) -> None:
    resource_id = f"{scope}/providers/Microsoft.Authorization/policyExemptions/waiver"
    world.store.put(
        {
            "id": resource_id,
            "name": "waiver",
            "type": "Microsoft.Authorization/policyExemptions",
            "properties": {"policyAssignmentId": machines.ASSIGNMENT, "exemptionCategory": "Waiver", **properties},
        }
    )
    machines.tell(world, resource_id)


def remediate_all(engine: Engine, reference: str) -> dict[str, Problem | None]:
    standing = engine.standing((machines.ASSIGNMENT.lower(), reference.lower()))
    assert standing is not None
    found = [key for key, state in standing.states.items() if state.state == "NonCompliant"]
    return {key.rpartition("/")[2]: engine.remediate(standing.member, key) for key in found}


def test_an_assignment_is_evaluated_five_minutes_later_for_windows_only(world: World) -> None:
    machines.add_machine(world, "windows")
    machines.add_machine(world, "linux", os_type="Linux")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=4)
    assert list(engine.standings()) == []
    machines.wait(world, minutes=1)
    assert states(engine) == {"windows": "NonCompliant"}
    assert machines.guest_assignments(world, "linux") == []


def test_only_an_answer_of_this_package_makes_a_machine_compliant(world: World) -> None:
    guest = machines.add_machine(world, "vm1")
    guest.scenario["machine"]["cim"]["SoftwareLicensingProduct"][0]["Description"] = "VOLUME_KMSCLIENT channel"
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=30)
    assert states(engine) == {"vm1": "Compliant"}
    machines.install(world, version="1.0.1")
    machines.wait(world, minutes=5)
    assert states(engine) == {"vm1": "NonCompliant"}
    machines.wait(world, minutes=20)
    assert states(engine) == {"vm1": "Compliant"}
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert assignment["properties"]["guestConfiguration"]["contentUri"].endswith("_1.0.1.zip")


def test_the_parameter_hash_is_the_one_that_the_existence_condition_asks_for(world: World) -> None:
    guest = machines.add_machine(world, "vm1")
    guest.scenario["machine"]["cim"]["SoftwareLicensingProduct"][0]["Description"] = "VOLUME_KMSCLIENT channel"
    engine = Engine(world)
    machines.install(world, kms_server="kms.example.com")
    machines.wait(world, minutes=30)
    assert states(engine) == {"vm1": "Compliant"}
    machines.install(world, kms_server="other.example.com")
    machines.wait(world, minutes=5)
    assert states(engine) == {"vm1": "NonCompliant"}
    machines.wait(world, minutes=20)
    assert states(engine) == {"vm1": "Compliant"}


def test_values_flow_from_the_assignment_through_the_initiative(world: World) -> None:
    machines.add_machine(world, "vm1")
    Engine(world)
    machines.install(world)
    initiative = world.store.get(f"{machines.GROUP}/providers/Microsoft.Authorization/policySetDefinitions/avma-pack")
    assert initiative is not None
    initiative["properties"]["parameters"] = {
        "host": {"type": "String", "defaultValue": "default.example.com"},
        "port": {"type": "String", "defaultValue": "1689"},
    }
    bound = initiative["properties"]["policyDefinitions"][0]["parameters"]
    bound |= {"KmsServer": {"value": "[parameters('host')]"}, "KmsPort": {"value": "[parameters('port')]"}}
    change_assignment(world, parameters={"Host": {"value": "kms.example.com"}})
    machines.wait(world, minutes=5)
    (assignment,) = machines.guest_assignments(world, "vm1")
    given = {
        each["name"].rpartition(";")[2]: each["value"]
        for each in assignment["properties"]["guestConfiguration"]["configurationParameter"]
    }
    assert (given["KmsServer"], given["KmsPort"]) == ("kms.example.com", "1689")


def test_an_excluded_scope_is_not_reached(world: World) -> None:
    machines.add_machine(world, "vm1")
    machines.add_machine(world, "vm2")
    engine = Engine(world)
    machines.install(world)
    change_assignment(world, notScopes=[machines.machine_id("vm2")])
    machines.wait(world, minutes=5)
    assert states(engine) == {"vm1": "NonCompliant"}


def test_a_selector_by_location_restricts_an_assignment(world: World) -> None:
    machines.add_machine(world, "vm1")
    machines.add_machine(world, "vm2", location="eastus")
    engine = Engine(world)
    machines.install(world)
    selector = {"name": "west", "selectors": [{"kind": "resourceLocation", "in": ["WestEurope"]}]}
    change_assignment(world, resourceSelectors=[selector])
    machines.wait(world, minutes=5)
    assert states(engine) == {"vm1": "NonCompliant"}


def test_an_exemption_leaves_what_was_already_assigned(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=5)
    exempt(world, machines.machine_id("vm1"))
    machines.wait(world, minutes=15)
    assert states(engine) == {"vm1": "Exempt"}
    assert len(machines.guest_assignments(world, "vm1")) == 1


@pytest.mark.parametrize(
    ("properties", "state"),
    [
        ({"policyDefinitionReferenceIds": ["AUDIT"]}, "Exempt"),
        ({"policyDefinitionReferenceIds": ["remediate"]}, "NonCompliant"),
        ({"expiresOn": "2026-01-01T00:00:00Z"}, "NonCompliant"),
        ({"expiresOn": "2027-01-01T00:00:00Z"}, "Exempt"),
    ],
)
def test_exemptions_may_name_members_and_expire(world: World, properties: dict[str, Any], state: str) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    exempt(world, f"/subscriptions/{machines.SUBSCRIPTION}", **properties)
    machines.wait(world, minutes=5)
    assert states(engine) == {"vm1": state}


def test_a_switched_off_effect_has_no_states(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    selectors = [{"kind": "policyDefinitionReferenceId", "in": ["audit"]}]
    change_assignment(world, overrides=[{"kind": "policyEffect", "value": "Disabled", "selectors": selectors}])
    machines.wait(world, minutes=5)
    assert list(engine.standings()) == []
    assert machines.guest_assignments(world, "vm1") == []


def test_deleting_the_assignment_takes_its_guest_assignments_along(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=30)
    world.store.delete(machines.ASSIGNMENT)
    machines.tell(world, machines.ASSIGNMENT)
    assert machines.guest_assignments(world, "vm1") == []
    assert list(engine.standings()) == []


def test_removing_a_member_from_the_initiative_leaves_its_guest_assignments(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=30)
    initiative = f"{machines.GROUP}/providers/Microsoft.Authorization/policySetDefinitions/avma-pack"
    old = world.store.get(initiative)
    assert old is not None
    world.store.put({**old, "properties": {**old["properties"], "policyDefinitions": []}})
    machines.tell(world, initiative)
    machines.wait(world, minutes=30)
    assert list(engine.standings()) == []
    assert len(machines.guest_assignments(world, "vm1")) == 1


def test_existing_machines_wait_for_a_remediation_task(world: World) -> None:
    machines.add_machine(world, "vm1")
    machines.grant(world, GUEST_CONTRIBUTOR)
    engine = Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_AUTO_CORRECT)
    machines.wait(world, hours=30)
    assert states(engine, "remediate") == {"vm1": "NonCompliant"}
    assert machines.guest_assignments(world, "vm1") == []


@pytest.mark.parametrize(("enforce", "expected"), [(True, 1), (False, 0)])
def test_a_written_machine_is_remediated_at_once_where_the_assignment_enforces(
    world: World, *, enforce: bool, expected: int
) -> None:
    machines.add_machine(world, "vm1")
    machines.grant(world, GUEST_CONTRIBUTOR)
    Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_MONITOR, enforce=enforce)
    machines.wait(world, minutes=5)
    machines.tell(world, machines.machine_id("vm1"))
    machines.wait(world, minutes=15)
    assert len(machines.guest_assignments(world, "vm1")) == expected


@pytest.mark.parametrize("role", ["", VM_CONTRIBUTOR])
def test_a_deployment_needs_a_role_that_allows_it(world: World, role: str) -> None:
    machines.add_machine(world, "vm1")
    if role:
        machines.grant(world, role)
    engine = Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_MONITOR)
    machines.wait(world, minutes=5)
    problem = remediate_all(engine, "remediate")["vm1"]
    assert problem is not None
    assert problem.code == "AuthorizationFailed"
    assert "Microsoft.GuestConfiguration/guestConfigurationAssignments/write" in problem.message
    assert machines.guest_assignments(world, "vm1") == []


def test_a_role_elsewhere_does_not_help(world: World) -> None:
    machines.add_machine(world, "vm1")
    machines.grant(world, GUEST_CONTRIBUTOR, "/subscriptions/00000000-0000-0000-0000-000000000002")
    engine = Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_MONITOR)
    machines.wait(world, minutes=5)
    assert remediate_all(engine, "remediate")["vm1"] is not None


def test_remediation_ends_compliant(world: World) -> None:
    machines.add_machine(world, "vm1")
    machines.grant(world, GUEST_CONTRIBUTOR)
    engine = Engine(world)
    machines.install(world, remediate=RemediationMode.APPLY_AND_MONITOR)
    machines.wait(world, minutes=5)
    assert remediate_all(engine, "remediate") == {"vm1": None}
    (assignment,) = machines.guest_assignments(world, "vm1")
    assert assignment["properties"]["guestConfiguration"]["assignmentType"] == "ApplyAndMonitor"
    machines.wait(world, minutes=20)
    assert states(engine, "remediate") == {"vm1": "Compliant"}


def test_own_prerequisites_bring_a_machine_to_report(world: World) -> None:
    machines.add_machine(world, "vm1", identity="", extension=False)
    machines.add_machine(world, "vm2", identity="UserAssigned", extension=False)
    machines.grant(world, VM_CONTRIBUTOR)
    engine = Engine(world)
    machines.install(world, own_prerequisites=True, enforce=False)
    machines.wait(world, hours=1)
    assert states(engine, "identity") == {"vm1": "NonCompliant", "vm2": "Compliant"}
    (user,) = [each for each in engine.standings() if "user" in each.member.reference_id.lower()]
    assert remediate_all(engine, user.member.reference_id) == {"vm2": None}
    assert remediate_all(engine, "identity") == {"vm1": None}
    assert remediate_all(engine, "extension") == {"vm1": None, "vm2": None}
    machine = world.store.get(machines.machine_id("vm2"))
    assert machine is not None
    assert machine["identity"]["type"] == "SystemAssigned, UserAssigned"
    machines.wait(world, minutes=20)
    assert [machines.findings(machines.guest_assignments(world, name)[0]) for name in ("vm1", "vm2")] == [
        ["AvmaKeyInstalled"],
        ["AvmaKeyInstalled"],
    ]
    assert set(states(engine, "extension").values()) == {"Compliant"}
    assert set(states(engine, "identity").values()) == {"Compliant"}


def test_a_write_request_gets_the_identity_at_once_where_the_assignment_enforces(world: World) -> None:
    machines.add_machine(world, "vm1", identity="")
    Engine(world)
    machines.install(world, own_prerequisites=True)
    machines.wait(world, minutes=5)
    machines.tell(world, machines.machine_id("vm1"))
    machine = world.store.get(machines.machine_id("vm1"))
    assert machine is not None
    assert machine["identity"]["type"] == "SystemAssigned"


def test_no_extension_is_installed_on_a_stopped_machine(world: World) -> None:
    machines.add_machine(world, "vm1", extension=False).running = False
    machines.grant(world, VM_CONTRIBUTOR)
    engine = Engine(world)
    machines.install(world, own_prerequisites=True)
    machines.wait(world, minutes=5)
    problem = remediate_all(engine, "extension")["vm1"]
    assert problem is not None
    assert problem.code == "OperationNotAllowed"


def test_an_unregistered_provider_gets_no_guest_assignments(world: World) -> None:
    machines.add_machine(world, "vm1")
    subscription = world.store.subscriptions[machines.SUBSCRIPTION]
    subscription.providers["microsoft.guestconfiguration"] = "NotRegistered"
    Engine(world)
    machines.install(world)
    machines.wait(world, minutes=30)
    assert machines.guest_assignments(world, "vm1") == []
    subscription.providers["microsoft.guestconfiguration"] = "Registered"
    machines.tell(world, f"/subscriptions/{machines.SUBSCRIPTION}/providers/Microsoft.GuestConfiguration/register")
    machines.wait(world, minutes=15)
    assert len(machines.guest_assignments(world, "vm1")) == 1


def test_a_deleted_machine_has_no_state(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    machines.wait(world, minutes=30)
    world.store.delete(machines.machine_id("vm1"))
    machines.tell(world, machines.machine_id("vm1"))
    machines.wait(world, minutes=15)
    assert states(engine) == {}


def test_a_rule_that_is_not_understood_is_named(world: World) -> None:
    machines.add_machine(world, "vm1")
    engine = Engine(world)
    machines.install(world)
    definition = f"{machines.GROUP}/providers/Microsoft.Authorization/policyDefinitions/avma-pack-audit"
    old = world.store.get(definition)
    assert old is not None
    rule = {**old["properties"]["policyRule"], "if": {"field": "type", "resembles": "x"}}
    world.store.put({**old, "properties": {**old["properties"], "policyRule": rule}})
    with pytest.raises(RuleError, match=r"avma-pack-audit.*resembles"):
        engine.evaluate_assignment(machines.ASSIGNMENT.lower())


def test_an_identity_that_remediation_brings_lets_other_members_follow(world: World) -> None:
    """A modified machine is a written machine: deployIfNotExists acts on it by itself."""
    machines.add_machine(world, "vm1", identity="", extension=False)
    machines.grant(world, VM_CONTRIBUTOR)
    engine = Engine(world)
    machines.install(world, own_prerequisites=True)
    machines.wait(world, minutes=5)
    assert remediate_all(engine, "identity") == {"vm1": None}
    machines.wait(world, minutes=40)
    assert world.store.get(machines.extension_of("vm1")["id"]) is not None
    assert machines.findings(machines.guest_assignments(world, "vm1")[0]) == ["AvmaKeyInstalled"]
