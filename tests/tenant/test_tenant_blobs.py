"""Blob storage of the tenant, by Microsoft's own client."""

from __future__ import annotations

import hashlib
import ssl
import urllib.request
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContentSettings

from avma_pack.tenant.blobs import is_blob

if TYPE_CHECKING:
    from azure.identity import ClientSecretCredential

    from avma_pack.tenant.server import Server

CONTENT = bytes(range(256)) * 500


@pytest.fixture
def blob(server: Server, credential: ClientSecretCredential) -> BlobClient:
    client = BlobClient(
        f"{server.url}/blobs/packs",
        "packages",
        "AuditAvmaKey_1.0.0.zip",
        credential=credential,
        connection_verify=str(server.certificate),
        retry_total=0,
    )
    with client:
        yield client


def anonymous(server: Server, path: str) -> bytes:
    trust = ssl.create_default_context(cafile=str(server.certificate))
    with urllib.request.urlopen(f"{server.url}{path}", context=trust) as response:
        return response.read()


def test_a_blob_comes_back_as_it_was_written(blob):
    settings = ContentSettings(content_type="application/zip")
    written = blob.upload_blob(CONTENT, metadata={"avmapack": "1.0.0"}, content_settings=settings)
    read = blob.download_blob()
    assert read.readall() == CONTENT
    assert read.properties.metadata == {"avmapack": "1.0.0"}
    found = blob.get_blob_properties()
    assert (found.size, found.etag, found.content_settings.content_type) == (
        len(CONTENT),
        written["etag"],
        "application/zip",
    )
    assert found.content_settings.content_md5 == hashlib.md5(CONTENT).digest()
    assert found.metadata == {"avmapack": "1.0.0"}


def test_reading_needs_no_token_and_writing_does(blob, server):
    blob.upload_blob(CONTENT)
    assert anonymous(server, "/blobs/packs/packages/AuditAvmaKey_1.0.0.zip") == CONTENT
    without = BlobClient.from_blob_url(blob.url, connection_verify=str(server.certificate), retry_total=0)
    with without, pytest.raises(HttpResponseError) as refused:
        without.upload_blob(CONTENT, overwrite=True)
    assert refused.value.status_code == 401


def test_a_url_alone_names_the_blob(server, credential, world):
    url = f"{server.url}/blobs/packs/packages/deep/name.zip"
    with BlobClient.from_blob_url(url, credential=credential, connection_verify=str(server.certificate)) as client:
        client.upload_blob(b"x")
    assert list(world.blobs) == ["/blobs/packs/packages/deep/name.zip"]


def test_a_blob_is_not_overwritten_unasked(blob):
    first = blob.upload_blob(b"one")
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"two")
    second = blob.upload_blob(b"two", overwrite=True)
    assert first["etag"] != second["etag"]
    with pytest.raises(HttpResponseError) as refused:
        blob.upload_blob(b"three", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    assert (refused.value.status_code, refused.value.error_code) == (412, "ConditionNotMet")
    assert blob.download_blob().readall() == b"two"


def test_what_is_not_there_is_not_found(blob, server):
    with pytest.raises(ResourceNotFoundError) as missing:
        blob.download_blob()
    assert missing.value.error_code == "BlobNotFound"
    assert not blob.exists()
    with pytest.raises(HTTPError):
        anonymous(server, "/blobs/packs/packages/none.zip")


def test_an_empty_blob_and_a_deleted_one(blob):
    blob.upload_blob(b"")
    assert blob.download_blob().readall() == b""
    blob.delete_blob()
    assert not blob.exists()


def test_only_paths_below_blobs_are_blobs():
    assert is_blob("/blobs/a/b/c")
    assert not is_blob("/subscriptions/blobs/a")
