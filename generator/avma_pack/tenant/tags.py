"""Tags of any resource: `SCOPE/providers/Microsoft.Resources/tags/default`.

https://learn.microsoft.com/rest/api/resources/tags. Names of tags are compared ignoring case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, Routes, not_found

if TYPE_CHECKING:
    from avma_pack.tenant.store import Resource
    from avma_pack.tenant.world import World

TAGS = "Microsoft.Resources/tags"

routes = Routes()


@routes.on("GET", TAGS)
def get_tags(world: World, request: ArmRequest) -> ArmResponse:
    """The tags of a resource."""
    return _answer(_tagged(world, request))


@routes.on("PUT", TAGS)
def put_tags(world: World, request: ArmRequest) -> ArmResponse:
    """Replace the tags of a resource."""
    return _write(world, _tagged(world, request), _given(request))


@routes.on("DELETE", TAGS)
def delete_tags(world: World, request: ArmRequest) -> ArmResponse:
    """Remove the tags of a resource."""
    _write(world, _tagged(world, request), {})
    return ArmResponse(200)


@routes.on("PATCH", TAGS)
def patch_tags(world: World, request: ArmRequest) -> ArmResponse:
    """Merge tags into those of a resource, replace them, or delete some: by `operation`."""
    resource, given = _tagged(world, request), _given(request)
    operation = str(request.body.get("operation", "")).lower()
    old: dict[str, str] = resource.get("tags") or {}
    named = {name.lower() for name in given}
    others = {name: value for name, value in old.items() if name.lower() not in named}
    if operation == "merge":
        return _write(world, resource, {**others, **given})
    if operation == "replace":
        return _write(world, resource, given)
    if operation == "delete":
        return _write(world, resource, others)
    raise ArmError(400, "InvalidTagOperation", f"The tag operation '{request.body.get('operation')}' is not supported.")


def _tagged(world: World, request: ArmRequest) -> Resource:
    found = world.store.get(request.arm.scope)
    if found is None:
        raise not_found(request.arm.scope)
    return found


def _given(request: ArmRequest) -> dict[str, str]:
    tags: Any = request.properties.get("tags")
    if not isinstance(tags, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content has no 'properties.tags'.")
    return {str(name): str(value) for name, value in tags.items()}


def _write(world: World, resource: Resource, tags: dict[str, str]) -> ArmResponse:
    made = {**resource, "tags": tags}
    world.store.put(made)
    return _answer(made)


def _answer(resource: Resource) -> ArmResponse:
    body = {
        "id": f"{resource['id']}/providers/{TAGS}/default",
        "name": "default",
        "type": TAGS,
        "properties": {"tags": resource.get("tags") or {}},
    }
    return ArmResponse(200, body)
