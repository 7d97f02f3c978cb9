"""Resource Graph: the language, paging and scopes, by Microsoft's client where it goes over the wire."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions, ResultFormat

from avma_pack.tenant import resource_graph
from avma_pack.tenant.clock import START
from avma_pack.tenant.fleet import seed_fleet
from avma_pack.tenant.kql import QueryError, parse, plan, wanted_types
from avma_pack.tenant.store import Store
from avma_pack.tenant.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

VM = "microsoft.compute/virtualmachines"
SCHEMA = {"id": "string", "name": "string", "type": "string", "n": "long", "properties": "dynamic", "tags": "dynamic"}


def row(name: str, properties: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": f"/x/{name}", "name": name, "type": VM, "n": 0, "properties": properties, "tags": None, **more}


ROWS = [
    row("Alpha", {"state": "NonCompliant", "os": {"type": "Windows"}, "list": [{"code": "A"}, {"code": "B"}]}, n=3),
    row("beta", {"state": "Compliant", "os": {"type": "Linux"}, "list": [], "on": False}, n=1),
    row("gamma-ray", {"os": {}, "at": "2026-01-05T07:00:00Z", "on": True}, n=2, tags={"Env": "prod"}),
]


def run(query: str, rows: list[dict[str, Any]] = ROWS) -> list[dict[str, Any]]:
    result = plan(parse(query), query, SCHEMA, START).run(rows)
    return result.page(0, len(result))


def names(condition: str) -> list[str]:
    return [each["name"] for each in run(f"resources | where {condition}")]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("name == 'Alpha'", ["Alpha"]),
        ("name == 'alpha'", []),
        ("name =~ 'ALPHA'", ["Alpha"]),
        ("name != 'Alpha'", ["beta", "gamma-ray"]),
        ("name !~ 'alpha'", ["beta", "gamma-ray"]),
        ("name in ('beta', 'alpha')", ["beta"]),
        ("name in~ ('BETA', 'alpha')", ["Alpha", "beta"]),
        ("name !in~ ('BETA', 'alpha')", ["gamma-ray"]),
        ("name in (dynamic(['beta', -1, true, null, {}]))", ["beta"]),
        ('tostring(dynamic({\'a\': [1, "b"]})) == \'{"a":[1,"b"]}\'', ["Alpha", "beta", "gamma-ray"]),
        ("name contains 'ET'", ["beta"]),
        ("name !contains 'a-'", ["Alpha", "beta"]),
        ("name contains_cs 'ET'", []),
        ("name startswith 'ALP'", ["Alpha"]),
        ("name endswith 'RAY' or name startswith_cs 'b'", ["beta", "gamma-ray"]),
        ("name has 'gamma'", ["gamma-ray"]),
        ("name has 'gam'", []),
        ("name !has 'ray'", ["Alpha", "beta"]),
        ("name has_any ('ray', 'beta')", ["beta", "gamma-ray"]),
        ("properties.state == 'NonCompliant'", ["Alpha"]),
        ("properties.state != 'Compliant'", ["Alpha", "gamma-ray"]),
        ("properties['os']['type'] =~ 'windows'", ["Alpha"]),
        ("properties.State == 'Compliant'", []),
        ("properties.list[0].code == 'A'", ["Alpha"]),
        ("properties.list[-1].code == 'B'", ["Alpha"]),
        ("properties.list[(-1)].code == 'B'", ["Alpha"]),
        ("properties.on == true", ["gamma-ray"]),
        ("properties.on == false", ["beta"]),
        ("properties.on", ["gamma-ray"]),
        ("not(properties.on)", ["beta"]),
        ("tobool(properties.on) == false", ["beta"]),
        ("isnull(properties.state)", ["gamma-ray"]),
        ("isnotnull(properties.state)", ["Alpha", "beta"]),
        ("isempty(properties.state)", ["gamma-ray"]),
        ("isnotempty(tags.Env)", ["gamma-ray"]),
        ("tags.env == 'prod'", []),
        ("n > 1 and n <= 3", ["Alpha", "gamma-ray"]),
        ("n == 1 or n == 2 and name == 'x'", ["beta"]),
        ("(n == 1 or n == 2) and name == 'x'", []),
        ("n + 1 == 4", ["Alpha"]),
        ("n in (1, 2)", ["beta", "gamma-ray"]),
        ("todatetime(properties.at) > ago(2h)", ["gamma-ray"]),
        ("todatetime(properties.at) < now() - 30m", ["gamma-ray"]),
        ("todatetime(properties.at) < datetime(2026-01-05)", []),
        ("todatetime(properties.none) < now()", []),
        ("array_length(properties.list) == 0", ["beta"]),
        ("strlen(name) == 4 // a remark\n", ["beta"]),
        ("name == @'beta' or name == \"Alpha\"", ["Alpha", "beta"]),
        ("split(id, '/')[2] == 'beta'", ["beta"]),
        ("iff(n > 2, 'many', 'few') == 'many'", ["Alpha"]),
        ("case(n == 1, 'one', n == 2, 'two', 'more') == 'two'", ["gamma-ray"]),
        ("coalesce(tostring(properties.state), 'none') == 'none'", ["gamma-ray"]),
        ("strcat(name, '-', n) == 'beta-1'", ["beta"]),
        ("extract('^(\\\\w+)-', 1, name) == 'gamma'", ["gamma-ray"]),
        ("n == -(-3)", ["Alpha"]),
    ],
)
def test_conditions(condition, found):
    assert names(condition) == found


def test_project_names_paths_and_renames():
    (first,) = run("resources | where n == 3 | project id, os = properties.os.type, properties.os.type, ['a b'] = n")
    assert first == {"id": "/x/Alpha", "os": "Windows", "properties_os_type": "Windows", "a b": 3}
    (named,) = run("resources | take 1 | project tostring(properties.state), tolower(name), toupper(name)")
    assert named == {"properties_state": "NonCompliant", "Column1": "alpha", "Column2": "ALPHA"}


def test_extend_adds_and_replaces_and_project_away_drops():
    rows = run("resources | extend name = tolower(name), low = 1 | project-away id, type, properties, tags")
    assert rows[0] == {"name": "alpha", "n": 3, "low": 1}
    with pytest.raises(QueryError, match="named 'one'"):
        run("resources | extend one = 1, two = one")


def test_order_take_and_top():
    assert [each["n"] for each in run("resources | order by n asc")] == [1, 2, 3]
    assert [each["n"] for each in run("resources | sort by n")] == [3, 2, 1]
    assert [each["n"] for each in run("resources | top 2 by n")] == [3, 2]
    assert [each["n"] for each in run("resources | limit 1")] == [3]
    ordered = run("resources | extend s = tobool(properties.on) | order by s asc, name desc | project name")
    assert [each["name"] for each in ordered] == ["Alpha", "beta", "gamma-ray"]
    last = run("resources | extend s = tobool(properties.on) | order by s desc | project name")
    assert [each["name"] for each in last] == ["gamma-ray", "beta", "Alpha"]


def test_count_and_summarize():
    assert run("resources | count") == [{"Count": 3}]
    by_os = run("resources | summarize count() by os = tostring(properties.os.type)")
    assert by_os == [{"os": "Windows", "count_": 1}, {"os": "Linux", "count_": 1}, {"os": "", "count_": 1}]
    (summary,) = run(
        "resources | summarize all = count(), dcount(type), countif(n > 1), sum(n), max(n), make_set(type)"
    )
    assert summary == {"all": 3, "dcount_type": 1, "countif_": 2, "sum_n": 6, "max_n": 3, "set_type": [VM]}
    assert run("resources | where n > 9 | summarize count()") == [{"count_": 0}]
    assert run("resources | summarize by type") == [{"type": VM}]
    assert run("resources | distinct type") == [{"type": VM}]


def test_mv_expand_makes_a_row_of_each_element_and_drops_empty_ones():
    rows = run("resources | mv-expand reason = properties.list | project name, code = tostring(reason.code)")
    assert rows == [{"name": "Alpha", "code": "A"}, {"name": "Alpha", "code": "B"}]
    rows = run("resources | mvexpand properties.list | project properties_list.code")
    assert rows == [{"properties_list_code": "A"}, {"properties_list_code": "B"}]
    guarded = "iff(isnull(properties.list[0]), dynamic([{}]), properties.list)"
    assert len(run(f"resources | mv-expand reason = {guarded}")) == 4


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("resources | join kind=leftouter (resources) on id", "'join' is not known"),
        ("resources | where nome == 'x'", "named 'nome'"),
        ("resources | where foo(name) == 'x'", "function 'foo'"),
        ("resources | where tolower(name, 1) == 'x'", "2 arguments"),
        ("resources | where name matches regex 'x'", "'matches' is not known"),
        ("resources | where name == 'x", "is not understood"),
        ("resources | where (name == 'x'", "expected"),
        ("resources | where", "ends too early"),
        ("resources | summarize variance(n)", "aggregate 'variance'"),
        ("resources | summarize count() by properties.state", "tostring"),
        ("resources | order by properties.state", "tostring"),
        ("resources | distinct properties", "tostring"),
        ("resources | mv-expand name", "not of type dynamic"),
        ("resources | where name.x == 'y'", "no members"),
        ("resources where name == 'x'", "'resources' is not known"),
        ("resources | take many", "not expected"),
        ("resources | where n == dynamic({x})", "expected"),
        ("resources | where todatetime(name) < datetime(soon)", "'soon' is no datetime"),
    ],
)
def test_what_is_not_known_is_named(query, message):
    with pytest.raises(QueryError, match=message):
        run(query)


def test_an_error_names_its_place():
    with pytest.raises(QueryError) as caught:
        run("resources\n| where nome == 'x'")
    assert (caught.value.line, caught.value.column, caught.value.token) == (2, 9, "nome")


@pytest.mark.parametrize(
    ("condition", "types"),
    [
        ("type =~ 'A/B'", {"a/b"}),
        ("type in~ ('A/B', 'c/d') and name == 'x'", {"a/b", "c/d"}),
        ("name == 'x'", None),
        ("type =~ 'a/b' or name == 'x'", None),
        ("type != 'a/b'", None),
        ("type == 'a/b' | where type == 'c/d'", set()),
    ],
)
def test_types_are_told_beforehand(condition, types):
    assert wanted_types(parse(f"resources | where {condition}")) == types


# --- over the wire


@pytest.fixture
def world(world: World) -> World:
    seed_fleet(world, machines=60, seed=1)
    world.store.put(
        {
            "id": "/providers/Microsoft.Management/managementGroups/corp/providers/Microsoft.Authorization"
            "/policyDefinitions/d",
            "name": "d",
            "type": "Microsoft.Authorization/policyDefinitions",
            "properties": {"displayName": "D"},
        }
    )
    return world


@pytest.fixture
def ask(sdk: Callable[..., Any]) -> Any:
    with sdk(ResourceGraphClient) as client:
        yield lambda query, **more: client.resources(QueryRequest(query=query, **more))


@pytest.fixture
def pages_of_7(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avma_pack.tenant.world.PAGE_SIZE", 7)


MACHINES = "Resources | where type =~ 'Microsoft.Compute/virtualMachines'"


def test_rows_look_as_resource_graph_gives_them(world, ask):
    answer = ask(f"{MACHINES} | order by name asc")
    assert (answer.total_records, answer.count, answer.result_truncated, answer.facets) == (60, 60, "false", [])
    first = answer.data[0]
    stored = world.store.get(first["id"])
    assert (first["type"], first["kind"], first["sku"]) == (VM, "", None)
    assert first["resourceGroup"] == stored["id"].split("/")[4].lower()
    assert first["subscriptionId"] == stored["id"].split("/")[2]
    extended = first["properties"].pop("extended")
    assert first["properties"] == stored["properties"]
    assert extended["instanceView"]["powerState"]["code"].startswith("PowerState/")
    assert "extended" not in stored["properties"]


def test_pages_fit_together_and_are_kept_while_the_tenant_changes(world, ask, pages_of_7):
    query, found, token = f"{MACHINES} | project id, name", [], None
    while True:
        answer = ask(query, options=QueryRequestOptions(skip_token=token))
        assert (answer.total_records, answer.result_truncated) == (60, "false")
        found += [each["id"].lower() for each in answer.data]
        token = answer.skip_token
        if not token:
            break
    assert sorted(found) == sorted(world.guests)


def test_without_id_or_with_take_there_is_no_next_page(ask, pages_of_7):
    for query in (f"{MACHINES} | project name", f"{MACHINES} | take 20 | project id"):
        answer = ask(query)
        assert (answer.count, answer.skip_token, answer.result_truncated) == (7, None, "true")


def test_top_and_skip(ask):
    query = f"{MACHINES} | project id, name | order by name asc"
    everything = ask(query).data
    answer = ask(query, options=QueryRequestOptions(top=5, skip=10))
    assert answer.data == everything[10:15]
    assert answer.total_records == 60
    assert ask(query, options=QueryRequestOptions(top=5, skip_token=answer.skip_token)).data == everything[15:20]


def test_a_query_is_about_the_subscriptions_and_groups_it_names(world, ask):
    (one, *_), by_subscription = world.store.subscriptions, {}
    for key in world.guests:
        by_subscription.setdefault(key.split("/")[2], []).append(key)
    for subscription, machines in by_subscription.items():
        assert ask(MACHINES, subscriptions=[subscription]).total_records == len(machines)
    below = {name for name, each in world.store.subscriptions.items() if each.group == "online"}
    expected = sum(len(by_subscription.get(each, [])) for each in below)
    assert ask(MACHINES, management_groups=["Landing-Zones"]).total_records == expected
    assert ask(MACHINES, subscriptions=[one]).total_records == 0
    with pytest.raises(HttpResponseError) as refused:
        ask(MACHINES, subscriptions=["00000000-0000-0000-0000-0000000000ff"])
    assert "NoValidSubscriptionsInQueryRequest" in refused.value.response.text()


def test_other_tables(world, ask):
    containers = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project name, chain = "
    rows = ask(f"{containers} properties.managementGroupAncestorsChain").data
    assert {each["name"] for each in rows} == {each.name for each in world.store.subscriptions.values()}
    online = next(each for each in rows if each["name"].startswith("online"))
    assert [each["name"] for each in online["chain"]] == ["online", "landing-zones", "root"]
    assert ask("resourcecontainers | where type =~ 'microsoft.management/managementgroups'").count == 5
    definitions = "policyresources | where type =~ 'microsoft.authorization/policydefinitions'"
    assert [each["name"] for each in ask(definitions).data] == ["d"]
    assert ask(definitions, management_groups=["corp"]).count == 1
    assert ask(definitions, management_groups=["online"]).count == 0
    assert ask("guestconfigurationresources").data == []
    assert ask("Resources | where type =~ 'microsoft.compute/virtualmachines/extensions' | count").data[0]["Count"] > 40


def test_what_changed_is_seen(world, ask):
    query = f"{MACHINES} and properties.extended.instanceView.powerState.code == 'PowerState/running'"
    before = ask(query).total_records
    guest = next(each for each in world.guests.values() if each.running)
    guest.running = False
    world.clock.advance(dt.timedelta(minutes=1))
    assert ask(query).total_records == before - 1
    world.store.put({**world.store.get(guest.vm_id), "tags": {"only": "here"}})
    assert ask(f"{MACHINES} and tags.only == 'here'").count == 1
    world.store.delete(guest.vm_id)
    assert ask(MACHINES).count == 59


def test_a_table_of_rows(ask):
    options = QueryRequestOptions(result_format=ResultFormat.TABLE, top=1)
    answer = ask(f"{MACHINES} | project name, n = 1, properties", options=options)
    assert answer.data["columns"] == [
        {"name": "name", "type": "string"},
        {"name": "n", "type": "integer"},
        {"name": "properties", "type": "object"},
    ]
    assert [len(each) for each in answer.data["rows"]] == [3]


def test_refusals_say_where(ask):
    with pytest.raises(HttpResponseError) as refused:
        ask("Resources | whre name == 'x'")
    error = refused.value.response.json()["error"]
    assert (refused.value.status_code, error["code"]) == (400, "BadRequest")
    assert error["details"][1] == {
        "code": "ParserFailure",
        "message": "the operator 'whre' is not known here (line 1, character 13: 'whre')",
    }
    with pytest.raises(HttpResponseError, match="nowhere"):
        ask("nowhere | count")


def test_the_quota_is_told(ask, server):
    told = []
    server.recorders.append(lambda exchange: told.append(exchange.response_headers))
    ask(MACHINES)
    ask(MACHINES)
    assert int(told[-1]["x-ms-user-quota-remaining"]) == int(told[-2]["x-ms-user-quota-remaining"]) - 1
    assert told[-1]["x-ms-user-quota-resets-after"].startswith("00:00:0")


def test_a_large_answer_is_not_computed_twice():
    world = World(Store("t", "root"))
    seed_fleet(world, machines=40)
    kept = world.extra.setdefault("graph answers", {})
    for _ in range(3):
        resource_graph._answer(world, MACHINES, [], [])
    assert len(kept) == 1
