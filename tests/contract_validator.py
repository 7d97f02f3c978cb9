"""Checks what went over the wire against Microsoft's OpenAPI specifications, with Microsoft's own validator.

`with recorded(server) as exchanges:` keeps what a server answers; `Validator.problems(exchanges)` tells what does not
fit.
The validator is an npm package, installed once below the virtual environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared_facts import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from avma_pack.tenant.server import Exchange, Server

PACKAGE = "oav@4.0.3"
MODULES = Path(sys.prefix) / "oav" / "node_modules"

NO_ARM = re.compile(r"^/(blobs/|metadata/endpoints|common/discovery/|[^/]+/(v2\.0|oauth2)/)")
"""What is no request to Resource Manager: blobs and login."""

NO_SPECIFICATION = re.compile(
    r"^/(subscriptions|tenants|providers)(/[^/]+)?$"
    r"|^/subscriptions/[^/]+/resourcegroups(/[^/]+)?$"
    r"|^/subscriptions/[^/]+/providers(/[^/]+(/register)?)?$"
    r"|/providers/microsoft\.(resources|compute)/(?!.*/providers/)",
    re.IGNORECASE,
)
"""Paths of families that have no specification here. (One that takes any path may claim them, so nobody is asked.)"""

MAY_BE_UNROUTED = re.compile(
    r"/providers/microsoft\.authorization/policyexemptions"
    r"|/providers/microsoft\.policyinsights/asyncoperationresults/",
    re.IGNORECASE,
)
"""Exemptions, which have one of a preview only, and the places where a service tells of what it is still doing."""

UNROUTED = "unknownOperationId"
"""What the validator calls the operation of a request that no specification knows."""

APPROXIMATED = frozenset({"2025-11-01", "2026-06-01"})
"""Api-versions whose specification is an older one: of properties that it does not know it says nothing."""

_FORGIVEN_THERE = re.compile(r"^OBJECT_ADDITIONAL_PROPERTIES\b")


@contextlib.contextmanager
def recorded(server: Server) -> Iterator[list[Exchange]]:
    """What a server is asked and answers meanwhile."""
    exchanges: list[Exchange] = []
    server.recorders.append(exchanges.append)
    try:
        yield exchanges
    finally:
        server.recorders.remove(exchanges.append)


class Validator:
    """Microsoft's validator, in a process of its own until it is closed."""

    def __init__(self) -> None:
        script = SHARED / "contract" / "validator.js"
        self._process = subprocess.Popen(
            ["node", str(script), "0"],
            env={**os.environ, "NODE_PATH": str(MODULES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        port = next((line.split()[1] for line in self._process.stdout if line.startswith("ready ")), None)
        if port is None:
            self.close()
            raise RuntimeError(f"{script} did not start")
        self._url = f"http://127.0.0.1:{port}/"

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()

    def problems(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What does not fit the specifications, one line each."""
        found = []
        for exchange in exchanges:
            where = f"{exchange.method} {urlsplit(exchange.url).path} -> {exchange.status}"
            found += [f"{where}: {each}" for each in self._judge(exchange)]
        return found

    def routed(self, exchange: Exchange) -> bool:
        """Whether a specification says anything of an exchange."""
        return is_arm(exchange) and self._ask(exchange)["operation"] != UNROUTED

    def _judge(self, exchange: Exchange) -> list[str]:
        path = urlsplit(exchange.url).path
        if not is_arm(exchange) or NO_SPECIFICATION.search(path):
            return []
        answer = self._ask(exchange)
        if answer["operation"] in {"", UNROUTED}:
            known = MAY_BE_UNROUTED.search(path)
            return [] if known else [f"no operation of a specification: {answer['exception']}"]
        errors = answer["requestErrors"] + answer["responseErrors"]
        if _query(exchange).get("api-version") in APPROXIMATED:
            errors = [each for each in errors if not _FORGIVEN_THERE.match(each)]
        return errors + ([answer["exception"]] if answer["exception"] else [])

    def _ask(self, exchange: Exchange) -> dict[str, Any]:
        content = json.dumps(as_live(exchange)).encode()
        request = urllib.request.Request(self._url, content, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def is_arm(exchange: Exchange) -> bool:
    """Whether an exchange was with Resource Manager."""
    return not NO_ARM.match(urlsplit(exchange.url).path)


def as_live(exchange: Exchange) -> dict[str, Any]:
    """An exchange as the validator wants it: on Azure's own host, all names of headers in lower case."""
    url = urlsplit(exchange.url)
    return {
        "liveRequest": {
            "method": exchange.method,
            "url": f"https://management.azure.com{url.path}?{url.query}",
            "headers": _lowered(exchange.request_headers),
            "query": _query(exchange),
            "body": _parsed(exchange.request_body),
        },
        "liveResponse": {
            "statusCode": str(exchange.status),
            "headers": {"content-type": "application/json", **_lowered(exchange.response_headers)},
            "body": _parsed(exchange.response_body),
        },
    }


def is_validator_at_hand() -> bool:
    """Whether the validator can run here; where `CI` is set, what is missing is a failure instead."""
    if not (SHARED / "contract" / "validator.js").is_file():
        return False
    return os.environ.get("CI", "").lower() == "true" or bool(shutil.which("node") and shutil.which("npm"))


def require_validator() -> None:
    """Have the validator installed, or skip the test where that cannot be; never skip where `CI` is set."""
    if not (SHARED / "contract" / "validator.js").is_file():
        pytest.skip(f"{SHARED} (or AVMA_PACK_SHARED) is absent: the validator and the specifications")
    if shutil.which("node") is None or (shutil.which("npm") is None and not MODULES.is_dir()):
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("npm is missing, and with it Microsoft's OpenAPI validator")
        pytest.skip("npm is missing, and with it Microsoft's OpenAPI validator")
    if not MODULES.is_dir():
        _install()


def _install() -> None:
    """Install beside the place and move there, so that tests in parallel do not meet half of it."""
    aside = MODULES.parent.with_name(f"oav-{os.getpid()}")
    npm = shutil.which("npm")
    assert npm
    command = [npm, "install", "--prefix", str(aside), "--no-package-lock", "--no-audit", "--no-fund", PACKAGE]
    aside.mkdir(exist_ok=True)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=aside)
        with contextlib.suppress(OSError):  # another was faster
            aside.rename(MODULES.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _query(exchange: Exchange) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True))


def _lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _parsed(body: bytes) -> Any:
    return json.loads(body) if body else None
