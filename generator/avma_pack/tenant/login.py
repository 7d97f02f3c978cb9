"""Login: discovery documents and tokens, as azure-identity and the Azure CLI ask for them.

Tokens are unsigned JWTs that this tenant alone accepts. Principals and their secrets are the tenant's own; nothing of
a real tenant is ever asked for or kept.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

OWNER = "demo"
"""Client id of the one principal that can log in, and may do everything; its secret is its name."""

_CLIENT_ERRORS = {
    "AADSTS700016": (400, "unauthorized_client"),
    "AADSTS7000215": (401, "invalid_client"),
}
"""Status and OAuth error of what can be wrong with a client's login: unknown, and with a wrong secret."""

LIFETIME = 3600
"""Seconds of real time that a token is valid, as Azure's are for about an hour."""

LOGIN_PATHS = ("/metadata/endpoints", "/common/discovery/instance")


class _LoginError(ArmError):
    """A refusal in OAuth's shape (learn.microsoft.com/entra/identity-platform/reference-error-codes)."""

    def __init__(self, code: str, message: str) -> None:
        status, error = _CLIENT_ERRORS[code]
        super().__init__(status, error, f"{code}: {message}")
        self._number = int(code.removeprefix("AADSTS"))

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": self.code, "error_description": str(self), "error_codes": [self._number]}


def is_login(path: str) -> bool:
    """Whether a path is answered here, without a token."""
    return path in LOGIN_PATHS or "/.well-known/openid-configuration" in path or "/oauth2/" in path


def answer(world: World, method: str, path: str, body: bytes) -> Any:
    """The JSON answer to a request of login.

    Raises:
        ArmError: a client that is not known, its secret that is wrong, or a path that is not known.
    """
    if path == "/metadata/endpoints":
        return _endpoints(world)
    if path == "/common/discovery/instance":
        return {"tenant_discovery_endpoint": f"{_authority(world)}/v2.0/.well-known/openid-configuration"}
    if path.endswith("/.well-known/openid-configuration"):
        return _configuration(world)
    if method == "POST" and path.endswith("/token"):
        return _token(world, parse_qs(body.decode(errors="replace")))
    raise ArmError(404, "NotFound", f"The login has no {method} {path}.")


def principal_of(world: World, header: str) -> str:
    """The object id in a bearer token.

    Raises:
        ArmError: 401, where there is no token, or one that is not of this tenant or has expired.
    """
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        raise _unauthorized(
            world, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        )
    claims = _claims(token.split(".")[1])
    match claims:
        case {"tid": str(tenant), "exp": int() | float() as expiry, "oid": str(principal)}:
            pass
        case _:
            raise _unauthorized(world, "InvalidAuthenticationToken", "The access token is invalid.")
    if tenant != world.store.tenant_id:
        raise _unauthorized(world, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.")
    if expiry < time.time():
        raise expired(world)
    return principal


def object_id(world: World, client_id: str) -> str:
    """The object id of a service principal."""
    return world.new_id("principal", client_id)


def expired(world: World) -> ArmError:
    """The refusal of a token whose time is over."""
    return _unauthorized(world, "ExpiredAuthenticationToken", "The access token expiry has passed.")


def _unauthorized(world: World, code: str, message: str) -> ArmError:
    """A refusal with the challenge that ARM sends along: no claims, so that clients do not react by themselves."""
    challenge = f'Bearer authorization_uri="{_authority(world)}", error="invalid_token", error_description="{message}"'
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def _claims(payload: str) -> Any:
    """What a token's payload says; None where it cannot be read."""
    try:
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None


def _authority(world: World) -> str:
    return f"{world.base_url}/{world.store.tenant_id}"


def _token(world: World, form: dict[str, list[str]]) -> dict[str, Any]:
    client_id = form.get("client_id", [""])[0]
    secret = form.get("client_secret", [""])[0]
    if client_id != OWNER:
        where = f"was not found in the directory '{world.store.tenant_id}'"
        raise _LoginError("AADSTS700016", f"Application with identifier '{client_id}' {where}.")
    if secret != OWNER:
        raise _LoginError("AADSTS7000215", "Invalid client secret provided.")
    now = int(time.time())
    claims = {
        "aud": form.get("scope", form.get("resource", [world.base_url]))[0].removesuffix("/.default"),
        "iss": f"https://sts.windows.net/{world.store.tenant_id}/",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "tid": world.store.tenant_id,
        "appid": client_id,
        "oid": object_id(world, client_id),
    }
    token = ".".join((_encoded({"alg": "none", "typ": "JWT"}), _encoded(claims), "x"))
    return {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token}


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _configuration(world: World) -> dict[str, Any]:
    authority = _authority(world)
    return {
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "issuer": f"{authority}/v2.0",
        "tenant_region_scope": "WW",
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def _endpoints(world: World) -> dict[str, Any]:
    """What the Azure CLI reads to learn about a cloud (api-version 2022-09-01)."""
    url = world.base_url
    return {
        "name": "AvmaPackDemo",
        "portal": url,
        "authentication": {
            "loginEndpoint": url,
            "audiences": [url, f"{url}/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": f"{url}/",
        "graph": f"{url}/",
        "graphAudience": f"{url}/",
        "microsoftGraphResourceId": f"{url}/",
        "gallery": url,
        "batch": url,
        "media": url,
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
    }
