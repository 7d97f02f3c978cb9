"""The tenant's front door: who is let in, what malformed requests get, and what faults do to a client."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential

from avma_pack.cloud.arm import Arm
from avma_pack.errors import AccessError, UnavailableError
from avma_pack.tenant.faults import LOST_ANSWER, FaultKind, Faults
from avma_pack.tenant.login import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from avma_pack.tenant.server import Exchange, Server
    from avma_pack.tenant.world import World

TENANT = "11111111-1111-1111-1111-111111111111"
SCOPE = "https://management.azure.com/.default"
CORP = "/providers/Microsoft.Management/managementGroups/corp"
DEFINITION = f"{CORP}/providers/Microsoft.Authorization/policyDefinitions/one"
RULE = {"if": {"field": "type", "equals": "x/y"}, "then": {"effect": "audit"}}
BODY = {"properties": {"mode": "All", "policyRule": RULE}}

Answer = tuple[int, dict[str, str], Any]


class Tokens:
    """A credential that hands out these tokens one after the other, the last one again and again."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.asked = 0

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        self.asked += 1
        token = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return AccessToken(token, int(time.time()) + 3600)


def forged(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"x.{payload}.x"


EXPIRED = forged({"tid": TENANT, "exp": 1, "oid": "somebody"})


@pytest.fixture
def ask(server: Server) -> Callable[..., Answer]:
    """`ask(method, path, body, token)`: status, headers and body, without any client's retries."""
    trust = ssl.create_default_context(cafile=str(server.certificate))

    def send(method: str, path: str, body: Any = None, token: str = "") -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(server.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=trust) as response:
                return response.status, dict(response.headers), json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {**error.headers}, json.loads(error.read())

    return send


@pytest.fixture
def token(credential: ClientSecretCredential) -> str:
    return credential.get_token(SCOPE).token


@pytest.fixture
def arm(server: Server, credential: ClientSecretCredential) -> Iterator[Arm]:
    with Arm(server.url, credential, certificate=str(server.certificate)) as made:
        yield made


@pytest.mark.parametrize(
    ("client", "secret", "expected"),
    [
        ("somebody", "somebody", (400, "unauthorized_client", 700016)),
        ("", "", (400, "unauthorized_client", 700016)),
        (OWNER, "wrong", (401, "invalid_client", 7000215)),
        (OWNER, "", (401, "invalid_client", 7000215)),
    ],
)
def test_only_the_owner_logs_in(
    ask: Callable[..., Answer], client: str, secret: str, expected: tuple[int, str, int]
) -> None:
    form = urlencode({"client_id": client, "client_secret": secret, "grant_type": "client_credentials"}).encode()
    status, _, body = ask("POST", f"/{TENANT}/oauth2/v2.0/token", form)
    assert (status, body["error"], body["error_codes"]) == (*expected[:2], [expected[2]])
    assert body["error_description"].startswith(f"AADSTS{expected[2]}: ")


def test_azure_identity_says_why_a_secret_is_refused(server: Server) -> None:
    trust = str(server.certificate)
    wrong = ClientSecretCredential(
        TENANT, OWNER, "x", authority=server.url, disable_instance_discovery=True, connection_verify=trust
    )
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        wrong.get_token(SCOPE)


@pytest.mark.parametrize(
    "token",
    [
        *(forged(claims) for claims in (None, 5, [], {}, {"tid": TENANT, "exp": "x", "oid": "y"})),
        forged({"tid": TENANT, "exp": 4e9}),
        forged({"tid": "other", "exp": 4e9, "oid": "y"}),
        EXPIRED,
        "x.%.x",
        "x",
    ],
)
def test_a_bad_token_is_refused(ask: Callable[..., Answer], token: str) -> None:
    status, headers, body = ask("GET", f"{DEFINITION}?api-version=2023-04-01", token=token)
    assert (status, body["error"]["code"].endswith(("Token", "Tenant", "Failed"))) == (401, True)
    assert 'error="invalid_token"' in headers["www-authenticate"]


def test_a_failure_of_the_tenant_is_an_answer_and_is_kept(
    ask: Callable[..., Answer],
    server: Server,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("not expected")

    monkeypatch.setattr("avma_pack.tenant.server.ROUTES.find", lambda *_: fail)
    status, headers, body = ask("GET", f"{DEFINITION}?api-version=2023-04-01", token=token)
    assert (status, body["error"]["code"]) == (500, "InternalServerError")
    assert "not expected" in body["error"]["message"]
    assert headers["content-type"].startswith("application/json")
    assert [type(each) for each in server.failures] == [TypeError]
    server.failures.clear()  # or the fixture would rightly complain
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "asked",
    [
        ("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "resources", "options": 5}),
        ("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "resources", "options": {"$skip": "x"}}),
        ("PUT", DEFINITION.replace("Definitions", "SetDefinitions"), {"properties": {"policyDefinitions": 5}}),
        ("PUT", DEFINITION, {"properties": {"policyRule": 5}}),
        ("PUT", DEFINITION, []),
    ],
)
def test_whatever_is_asked_gets_an_error_in_arms_shape(
    ask: Callable[..., Answer],
    server: Server,
    token: str,
    capfd: pytest.CaptureFixture[str],
    asked: tuple[str, str, Any],
) -> None:
    method, path, body = asked
    status, _, answered = ask(method, f"{path}?api-version=2021-03-01", body, token)
    assert status >= 400
    assert set(answered["error"]) >= {"code", "message"}
    server.failures.clear()  # that it is 500 and not 400 is no fault of the client that this test stands for
    assert capfd.readouterr() == ("", "")


def test_a_client_asks_for_another_token_once(server: Server, token: str) -> None:
    tokens = Tokens(EXPIRED, token)
    with Arm(server.url, tokens, certificate=str(server.certificate)) as arm:
        assert arm.send("PUT", DEFINITION, "2023-04-01", body=BODY).status == 201
    assert tokens.asked == 2


def test_a_client_gives_up_with_a_second_bad_token(server: Server) -> None:
    tokens = Tokens(EXPIRED)
    with (
        Arm(server.url, tokens, certificate=str(server.certificate)) as arm,
        pytest.raises(AccessError, match="ExpiredAuthenticationToken"),
    ):
        arm.send("PUT", DEFINITION, "2023-04-01", body=BODY)
    assert tokens.asked == 2


def test_a_client_waits_as_long_as_it_is_told(arm: Arm, world: World, server: Server) -> None:
    world.faults = faults = Faults(frozenset({"throttle"}), rate=1)
    seen: list[Exchange] = []

    def calm_down(exchange: Exchange) -> None:
        if exchange.status == 429:
            world.faults = Faults()
        if "policyDefinitions" in exchange.url:
            seen.append(exchange)

    server.recorders.append(calm_down)
    begun = time.monotonic()
    arm.send("PUT", DEFINITION, "2023-04-01", body=BODY)
    assert time.monotonic() - begun >= 1
    assert [each.status for each in seen] == [429, 201]
    assert seen[0].response_headers["retry-after"] == "1"
    assert faults.injected == {"throttle": 1}


def test_a_valid_token_is_refused_once(arm: Arm, world: World) -> None:
    world.faults = Faults(frozenset({"expired-token"}), rate=1)
    for _ in range(3):
        arm.send("PUT", DEFINITION, "2023-04-01", body=BODY)
    assert world.faults.injected == {"expired-token": 1}


@pytest.mark.parametrize(
    "asked",
    [("PUT", DEFINITION, BODY), ("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "resources"})],
)
@pytest.mark.parametrize("felt", [("reset", "cannot be reached"), ("server-error", "status 50[03]")])
def test_a_client_tries_again_but_not_for_ever(
    arm: Arm, world: World, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, str, Any], felt: tuple[FaultKind, str]
) -> None:
    kind, message = felt
    waits: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda _, seconds: waits.append(seconds))
    world.faults = Faults(frozenset({kind}), rate=1)
    with pytest.raises(UnavailableError, match=message):
        arm.send(*asked[:2], "2021-03-01", body=asked[2])
    assert world.faults.injected[kind] == 7
    assert waits == [0.8, 1.6, 3.2, 6.4, 12.8]
    assert (0 < world.faults.injected[LOST_ANSWER] < 7) == (kind == "reset")
