"""Blob storage: `/blobs/ACCOUNT/CONTAINER/NAME`. Writing needs a token, reading does not: every container is public.

Requests and answers: https://learn.microsoft.com/rest/api/storageservices/put-blob, get-blob, get-blob-properties,
delete-blob; codes of errors: blob-service-error-codes. Of blobs, block blobs written in one request are known.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from email.utils import format_datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from avma_pack.tenant import login
from avma_pack.tenant.arm import ArmError, ArmResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avma_pack.tenant.world import World

PREFIX = "/blobs/"

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_META = "x-ms-meta-"
_VERSION = "2021-12-02"
_BLOB_SEGMENTS = 5
"""'', 'blobs', account, container, and at least one of the name."""


class _BlobError(Exception):
    """A refusal of the storage service."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def is_blob(path: str) -> bool:
    """Whether a path is one of blob storage."""
    return path.startswith(PREFIX)


def answer(world: World, method: str, path: str, headers: Mapping[str, str], body: bytes) -> ArmResponse:
    """Answer a request for a blob. It needs no lock of the world."""
    try:
        if method in {"GET", "HEAD"}:
            answered = _read(world, method, path, headers)
        elif method == "PUT":
            answered = _write(world, path, headers, body)
        elif method == "DELETE":
            answered = _delete(world, path, headers)
        else:
            raise _BlobError(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.")
    except _BlobError as error:
        answered = _refused(method, error)
    return ArmResponse(answered.status, answered.body, {"x-ms-version": _VERSION, **answered.headers})


def _read(world: World, method: str, path: str, headers: Mapping[str, str]) -> ArmResponse:
    content = world.blobs.get(path)
    if content is None:
        raise _BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    known = {"Accept-Ranges": "bytes", "x-ms-blob-type": "BlockBlob", **world.blob_metadata.get(path, {})}
    if method == "HEAD":
        return ArmResponse(200, b"", {**known, "Content-Length": str(len(content))})
    asked = headers.get("x-ms-range") or headers.get("range") or ""
    found = _RANGE.fullmatch(asked)
    if not found:
        return ArmResponse(200, content, known)
    start, end = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
    if start >= len(content):
        raise _BlobError(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    # Content-MD5 is that of what is sent; that of the whole blob has a header of its own.
    part = {name: value for name, value in known.items() if name != "Content-MD5"}
    part["x-ms-blob-content-md5"] = known.get("Content-MD5", "")
    part["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return ArmResponse(206, content[start : end + 1], part)


def _write(world: World, path: str, headers: Mapping[str, str], body: bytes) -> ArmResponse:
    _admit(world, headers)
    if len(path.split("/")) < _BLOB_SEGMENTS or path.endswith("/"):
        raise _BlobError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    if headers.get("x-ms-blob-type") != "BlockBlob":
        raise _BlobError(
            400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        )
    _meet_conditions(world, path, headers)
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    if headers.get("content-md5", digest) != digest:
        raise _BlobError(400, "Md5Mismatch", "The MD5 value specified in the request did not match the content.")
    now = world.clock.now
    stamp = {"ETag": f'"0x{_etag(body, headers)}"', "Last-Modified": _http_date(now), "Content-MD5": digest}
    world.blob_metadata[path] = {
        **stamp,
        "Content-Type": headers.get("x-ms-blob-content-type") or "application/octet-stream",
        **{name.lower(): value for name, value in headers.items() if name.lower().startswith(_META)},
    }
    world.blobs[path] = body
    return ArmResponse(201, b"", {**stamp, "x-ms-request-server-encrypted": "true"})


def _delete(world: World, path: str, headers: Mapping[str, str]) -> ArmResponse:
    _admit(world, headers)
    if world.blobs.pop(path, None) is None:
        raise _BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    world.blob_metadata.pop(path, None)
    return ArmResponse(202, b"")


def _admit(world: World, headers: Mapping[str, str]) -> None:
    """Only who has a token may write."""
    try:
        login.principal_of(world, headers.get("authorization", ""))
    except ArmError as error:
        message = (
            "Server failed to authenticate the request. Make sure the value of the Authorization header is correct."
        )
        raise _BlobError(401 if "authorization" not in headers else 403, "AuthenticationFailed", message) from error


def _meet_conditions(world: World, path: str, headers: Mapping[str, str]) -> None:
    if headers.get("if-none-match") == "*" and path in world.blobs:
        raise _BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    wanted = headers.get("if-match")
    if wanted and wanted != "*" and world.blob_metadata.get(path, {}).get("ETag") != wanted:
        raise _BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def _etag(body: bytes, headers: Mapping[str, str]) -> str:
    metadata = sorted(f"{name}={value}" for name, value in headers.items() if name.lower().startswith(_META))
    return hashlib.sha256(body + "\n".join(metadata).encode()).hexdigest()[:15].upper()


def _http_date(moment: dt.datetime) -> str:
    return format_datetime(moment.astimezone(dt.UTC), usegmt=True)


def _refused(method: str, error: _BlobError) -> ArmResponse:
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message></Error>"
    )
    headers = {"x-ms-error-code": error.code, "Content-Type": "application/xml"}
    return ArmResponse(error.status, b"" if method == "HEAD" else text.encode(), headers)
