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
"""Client id of the principal that may do everything; its secret is its name."""

LIFETIME = 3600
"""Seconds of real time that a token is valid, as Azure's are for about an hour."""

LOGIN_PATHS = ("/metadata/endpoints", "/common/discovery/instance")


def is_login(path: str) -> bool:
    """Whether a path is answered here, without a token."""
    return path in LOGIN_PATHS or "/.well-known/openid-configuration" in path or "/oauth2/" in path


def answer(world: World, method: str, path: str, body: bytes) -> Any:
    """The JSON answer to a request of login.

    Raises:
        ArmError: a secret that is wrong, or a path that is not known.
    """
    if path == "/metadata/endpoints":
        return _endpoints(world)
    if path == "/common/discovery/instance":
        return {"tenant_discovery_endpoint": f"{_authority(world)}/v2.0/.well-known/openid-configuration"}
    if path.endswith("/.well-known/openid-configuration"):
        return _configuration(world)
    if method == "POST" and path.endswith("/token"):
        return _token(world, parse_qs(body.decode()))
    raise ArmError(404, "NotFound", f"The login has no {method} {path}.")


def principal_of(world: World, header: str) -> str:
    """The object id in a bearer token.

    Raises:
        ArmError: 401, where there is no token, or one that is not of this tenant or has expired.
    """
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        raise _unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        raise _unauthorized("InvalidAuthenticationToken", "The access token is invalid.") from None
    if claims.get("tid") != world.store.tenant_id:
        raise _unauthorized("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.")
    if claims.get("exp", 0) < time.time():
        raise _unauthorized("ExpiredAuthenticationToken", "The access token expiry has passed.")
    return str(claims["oid"])


def object_id(world: World, client_id: str) -> str:
    """The object id of a service principal."""
    return world.new_id("principal", client_id)


def _unauthorized(code: str, message: str) -> ArmError:
    return ArmError(401, code, message, headers={"WWW-Authenticate": f'Bearer error="invalid_token", {code}'})


def _authority(world: World) -> str:
    return f"{world.base_url}/{world.store.tenant_id}"


def _token(world: World, form: dict[str, list[str]]) -> dict[str, Any]:
    client_id = form.get("client_id", [""])[0]
    secret = form.get("client_secret", [""])[0]
    if secret != client_id:
        raise ArmError(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
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
