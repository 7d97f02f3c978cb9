"""Logins, by Microsoft's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.identity import ClientSecretCredential

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def of_secret(
    tenant_id: str, client_id: str, secret: str, *, authority: str, certificate: str | None = None
) -> TokenCredential:
    """The login of a service principal at an authority that is not one of Azure's own clouds.

    `certificate` is a file of authorities to trust instead of the system's.
    """
    return ClientSecretCredential(
        tenant_id,
        client_id,
        secret,
        authority=authority,
        disable_instance_discovery=True,
        connection_verify=certificate or True,
    )
