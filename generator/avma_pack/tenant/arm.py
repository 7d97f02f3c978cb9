"""The shape of Azure Resource Manager: ids, requests, answers, errors, paging, and who answers what.

A provider is a module that registers handlers for its resource types; `server` finds the handler for a request.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from avma_pack.tenant.world import World

Kind = Literal["item", "collection"]


class ArmError(Exception):
    """A refusal, as ARM answers it."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": str(self)}}


def not_found(resource_id: str) -> ArmError:
    """The refusal for what is not there."""
    return ArmError(404, "ResourceNotFound", f"The resource '{resource_id}' could not be found.")


@dataclass(frozen=True, slots=True)
class ArmPath:
    """A path of ARM in its parts.

    `scope` is what stands before the last `/providers/` (or the whole path, where there is none); `types` and `names`
    are what follows, in pairs. A collection has one type more than names, and so has an action: its name is the last
    type.
    """

    scope: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Whether one resource is meant, or all of a type (or an action)."""
        return "item" if len(self.types) == len(self.names) else "collection"

    @property
    def type(self) -> str:
        """The resource type in lower case, such as `microsoft.authorization/policydefinitions`."""
        return "/".join((self.namespace, *self.types)).lower()


def parse_path(path: str) -> ArmPath:
    """Split a path of ARM. Subscriptions, resource groups and providers count as types of `microsoft.resources`."""
    scope, marker, rest = path.rstrip("/").rpartition("/providers/")
    if not marker:
        segments = path.strip("/").split("/")
        scope = "/" + "/".join(segments[:-2]) if len(segments) > 2 else ""  # noqa: PLR2004 - a pair
        return ArmPath(scope, "microsoft.resources", tuple(segments[0::2]), tuple(segments[1::2]))
    namespace, *segments = rest.split("/")
    if not segments or segments == ["register"]:
        return ArmPath(scope, "microsoft.resources", ("providers", *segments), (namespace,))
    return ArmPath(scope, namespace, tuple(segments[0::2]), tuple(segments[1::2]))


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """A request that has been let in: `body` is parsed JSON or None, `principal` the object id of the caller."""

    method: str
    path: str
    arm: ArmPath
    query: Mapping[str, str]
    body: Any
    principal: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """The api-version asked for; '' where none is."""
        return self.query.get("api-version", "")

    @property
    def name(self) -> str:
        """The name of the resource meant."""
        return self.arm.names[-1]

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` of the body."""
        if not isinstance(self.body, dict) or not isinstance(self.body.get("properties"), dict):
            raise ArmError(400, "InvalidRequestContent", "The request content has no 'properties'.")
        found: dict[str, Any] = self.body["properties"]
        return found


@dataclass(frozen=True, slots=True)
class ArmResponse:
    """An answer: `body` is JSON, or None for no content; bytes that are JSON already go out as they are."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = "Callable[[World, ArmRequest], ArmResponse]"


class Routes:
    """Which handler answers which method on which resource type."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str, Kind], Handler] = {}

    def on(self, method: str, resource_type: str, kind: Kind = "item") -> Callable[[Handler], Handler]:
        """Register a handler: `@routes.on("PUT", "Microsoft.Authorization/policyDefinitions")`."""

        def register(handler: Handler) -> Handler:
            self._handlers[(method, resource_type.lower(), kind)] = handler
            return handler

        return register

    def merge(self, other: Routes) -> None:
        """Take over the handlers of another provider."""
        self._handlers.update(other._handlers)

    def find(self, request_method: str, arm: ArmPath) -> Handler:
        """The handler; a refusal that names what is missing where there is none."""
        handler = self._handlers.get((request_method, arm.type, arm.kind))
        if handler is None:
            raise ArmError(
                404, "InvalidResourceType", f"This tenant has no {request_method} of {arm.type} ({arm.kind})."
            )
        return handler


def page(
    request: ArmRequest,
    items: Sequence[Any],
    size: int,
    *,
    key: str = "nextLink",
    token: str = "$skiptoken",  # noqa: S107 - the name of a query parameter
) -> dict[str, Any]:
    """One page of a list, with the link to the next where there is one."""
    start = offset_of(request.query.get(token, ""))
    body: dict[str, Any] = {"value": list(items[start : start + size])}
    if start + size < len(items):
        query = {name: value for name, value in request.query.items() if name != token}
        query[token] = skip_token(start + size)
        body[key] = f"{request.base_url}{request.path}?" + urlencode(query, safe="$'()")
    return body


def skip_token(offset: int) -> str:
    """An opaque token for a place in a list."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode().rstrip("=")


def offset_of(token: str) -> int:
    """The place in a list that an opaque token means; 0 for ''.

    Raises:
        ArmError: it is none of this tenant's.
    """
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        return int(text.removeprefix("offset:"))
    except ValueError as error:
        raise ArmError(400, "InvalidSkipToken", f"The skip token '{token}' is not valid.") from error
