"""Blobs of Azure Storage, by Microsoft's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.storage.blob import BlobClient, ContentSettings

from avma_pack.errors import AccessError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.credentials import TokenCredential


def upload(
    url: str,
    content: bytes,
    credential: TokenCredential,
    *,
    metadata: Mapping[str, str],
    certificate: str | None = None,
) -> None:
    """Write a blob, over one of the same name.

    Raises:
        AccessError: the login or the permission to write is refused.
        UnavailableError: the storage cannot be reached, or refuses.
    """
    with BlobClient.from_blob_url(url, credential=credential, connection_verify=certificate or True) as blob:
        try:
            blob.upload_blob(
                content,
                overwrite=True,
                metadata=dict(metadata),
                content_settings=ContentSettings(content_type="application/zip"),
            )
        except ClientAuthenticationError as error:
            raise AccessError(f"{url}: writing is refused: {error.message}") from error
        except AzureError as error:
            raise UnavailableError(f"{url}: cannot be written: {error.message}") from error
