"""System-assigned identities of policy assignments, and how long the directory takes to know them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avma_pack.tenant.arm import ArmError

if TYPE_CHECKING:
    from avma_pack.tenant.world import World

_KEY = "identities"


@dataclass(frozen=True, slots=True)
class Lag:
    """A new identity is unknown for so many questions or so long, whatever ends first."""

    refusals: int
    time: dt.timedelta


USUAL_LAG = Lag(2, dt.timedelta(minutes=2))
LONG_LAG = Lag(5, dt.timedelta(minutes=10))
"""Under the fault `identity-lag`."""


@dataclass(slots=True)
class _Identity:
    born: dt.datetime
    refusals: int = 0
    gone: bool = False


@dataclass(slots=True)
class _Directory:
    """Identities by principal id, the living one by its owner's lower-case id, and how many an owner has had."""

    by_principal: dict[str, _Identity] = field(default_factory=dict)
    by_owner: dict[str, str] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)


def system_identity(world: World, owner_id: str) -> str:
    """The principal id of a resource's system-assigned identity, made if it has none.

    A resource that is deleted and made again gets another identity.
    """
    directory, owner = _directory(world), owner_id.lower()
    if owner not in directory.by_owner:
        directory.made[owner] = directory.made.get(owner, 0) + 1
        principal = world.new_id("identity", owner, str(directory.made[owner]))
        directory.by_principal[principal] = _Identity(world.clock.now)
        directory.by_owner[owner] = principal
    return directory.by_owner[owner]


def remove_identity(world: World, owner_id: str) -> None:
    """Remove a resource's identity, if it has one. Its role assignments stay behind, as in Azure."""
    directory = _directory(world)
    principal = directory.by_owner.pop(owner_id.lower(), None)
    if principal:
        directory.by_principal[principal].gone = True


def is_identity(world: World, principal_id: str) -> bool:
    """Whether this principal is, or was, the identity of a resource."""
    return principal_id.lower() in _directory(world).by_principal


def require_known(world: World, principal_id: str) -> None:
    """Refuse an identity that the directory does not know yet, or no longer.

    A role assignment right after the identity was made fails, also where it names the `principalType`
    (github.com/MicrosoftDocs/azure-docs/issues/103085); Azure's advice is to try again. Principals that are not
    identities of this tenant's resources are not judged.

    Raises:
        ArmError: `PrincipalNotFound`.
    """
    identity = _directory(world).by_principal.get(principal_id.lower())
    if identity is None:
        return
    lag = LONG_LAG if "identity-lag" in world.faults.kinds else USUAL_LAG
    young = identity.refusals < lag.refusals and world.clock.now - identity.born < lag.time
    if young or identity.gone:
        identity.refusals += 1
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal_id.replace('-', '')} does not exist in the directory {world.store.tenant_id}. Check"
            " that you have the correct principal ID. If you are creating this principal and then immediately assigning"
            " a role, this error might be related to a replication delay. In this case, set the role assignment"
            " principalType property to a value, such as ServicePrincipal, User, or Group. See"
            " https://aka.ms/docs-principaltype",
        )


def _directory(world: World) -> _Directory:
    directory: _Directory = world.extra.setdefault(_KEY, _Directory())
    return directory
