"""The tenant's front door: HTTPS on loopback, in a thread of this process.

Every request passes here: faults, login, the lock of the world, the provider's handler, and back as JSON. What a
handler did not expect is answered with 500 and kept in `Server.failures`.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from avma_pack.tenant import blobs, login
from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, parse_path
from avma_pack.tenant.certificate import write_certificate
from avma_pack.tenant.faults import LOST_ANSWER
from avma_pack.tenant.providers import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from avma_pack.tenant.world import World

Recorder: TypeAlias = "Callable[[Exchange], None]"

_BAD_REQUEST = 400

_FOLLOWED = {"nextLink", "@odata.nextLink", "$skipToken"}
"""Members of a page that another one follows."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer as they went over the wire, for checks against a specification."""

    method: str
    url: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes


class Server:
    """Serves a world until it is closed. `url` and `certificate` say how to reach it.

    `failures` are the exceptions that no handler meant to raise: faults of this tenant, for tests to find.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.recorders: list[Recorder] = []
        self.failures: list[Exception] = []
        self._dice = world.faults.dice()
        self._refused_tokens: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="avma-pack-")
        self.certificate, key = write_certificate(Path(self._folder.name))
        config = uvicorn.Config(
            self._app,
            host="127.0.0.1",
            port=0,
            ssl_certfile=str(self.certificate),
            ssl_keyfile=str(key),
            interface="asgi3",
            lifespan="off",
            log_level="error",
            access_log=False,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="avma-pack tenant", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the embedded tenant could not be started")
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = world.base_url = f"https://127.0.0.1:{port}"

    def close(self) -> None:
        """Stop serving and remove the certificate."""
        self._server.servers[0].get_loop().call_soon_threadsafe(self._break_connections)
        self._server.should_exit = self._server.force_exit = True  # idle connections would be waited for
        self._thread.join(timeout=10)
        self._folder.cleanup()

    def _break_connections(self, client: tuple[str, int] | None = None) -> None:
        """Break one client's connection, or all: TLS would wait half a minute for a farewell."""
        for connection in list(self._server.server_state.connections):
            if client in {None, getattr(connection, "client", None)}:
                connection.transport.abort()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        response = await run_in_threadpool(self._answer, request, body)
        if response is None:
            self._break_connections(request.client)
            await receive()  # until uvicorn knows; it would answer 500 for an application that says nothing
            return
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response | None:
        """The answer, or None where the client is to get none."""
        is_lost = False
        try:
            is_lost = self._meet_faults(request)
            answered = self._dispatch(request, body)
            content, kind = _encoded(answered.body)
        except ConnectionResetError:
            return None
        except Exception as error:
            refusal = error if isinstance(error, ArmError) else self._failed(error)
            answered = ArmResponse(refusal.status, refusal.body(), refusal.headers)
            content, kind = _encoded(answered.body)
        if is_lost:
            self.world.faults.injected[LOST_ANSWER] += answered.status < _BAD_REQUEST
            return None
        self._count_standing_faults(answered)
        headers = {"x-ms-request-id": self.world.new_id("request", str(time.perf_counter_ns())), **answered.headers}
        response = Response(content, answered.status, headers, media_type=kind)
        self._record(request, body, answered.status, dict(response.headers), content)
        return response

    def _failed(self, error: Exception) -> ArmError:
        self.failures.append(error)
        return ArmError(500, "InternalServerError", f"The tenant failed: {type(error).__name__}: {error}")

    def _meet_faults(self, request: Request) -> bool:
        """Misbehave as the world's faults say, but never at login; return whether the answer is to be lost.

        Raises:
            ArmError, ConnectionResetError: the request is refused, or its connection is to break.
        """
        faults, path = self.world.faults, request.url.path
        kinds = faults.kinds - {"small-pages", "identity-lag"}
        token = request.headers.get("authorization", "")
        if blobs.is_blob(path) or not token or token in self._refused_tokens:
            kinds -= {"expired-token"}
        if login.is_login(path) or not kinds or self._dice.random() >= faults.rate:
            return False
        chosen = self._dice.choice(sorted(kinds))
        faults.injected[chosen] += 1
        match chosen:
            case "throttle" if blobs.is_blob(path):
                raise ArmError(503, "ServerBusy", "The server is currently unable to receive requests. Try again.")
            case "throttle":
                message = "The request was throttled. Please try again after the time in Retry-After."
                wait = {"Retry-After": str(faults.retry_after_seconds)}
                raise ArmError(429, "TooManyRequests", message, headers=wait)
            case "server-error":
                status = self._dice.choice([500, 503])
                raise ArmError(status, "InternalServerError", "The server had an error. Try again.")
            case "reset" if self._dice.random() < 0.5:  # noqa: PLR2004 - half of the time
                raise ConnectionResetError
            case "reset":
                return True
            case "delay":
                time.sleep(faults.delay_seconds)
            case "expired-token":
                self._refused_tokens.add(token)
                raise login.expired(self.world)
        return False

    def _count_standing_faults(self, answered: ArmResponse) -> None:
        """Count what providers do by themselves where the world has these faults."""
        faults, body = self.world.faults, answered.body
        if not isinstance(body, dict):
            return
        if "small-pages" in faults.kinds and _FOLLOWED & {name for name, value in body.items() if value}:
            faults.injected["small-pages"] += 1
        error = body.get("error")
        if "identity-lag" in faults.kinds and isinstance(error, dict) and error["code"] == "PrincipalNotFound":
            faults.injected["identity-lag"] += 1

    def _dispatch(self, request: Request, body: bytes) -> ArmResponse:
        path, world = request.url.path, self.world
        if login.is_login(path):
            return ArmResponse(200, login.answer(world, request.method, path, body))
        if blobs.is_blob(path):
            # Without the lock: guests download while time passes, which holds it.
            return blobs.answer(world, request.method, path, request.headers, body)
        arm = parse_path(path)
        handler = ROUTES.find(request.method, arm)
        made = ArmRequest(
            method=request.method,
            path=path,
            arm=arm,
            query=dict(request.query_params),
            body=_decoded(body),
            principal=login.principal_of(world, request.headers.get("authorization", "")),
            base_url=self.url,
            headers=request.headers,
        )
        if not made.api_version:
            raise ArmError(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        with world.lock:
            answered = handler(world, made)
            if request.method in {"PUT", "PATCH", "DELETE"} or path.endswith("/register"):
                for told in world.on_change:
                    told(path.lower())
            return answered

    def _record(self, request: Request, body: bytes, status: int, headers: Mapping[str, str], content: bytes) -> None:
        if self.recorders:
            exchange = Exchange(request.method, str(request.url), dict(request.headers), body, status, headers, content)
            for recorder in self.recorders:
                recorder(exchange)


def _decoded(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise ArmError(400, "InvalidRequestContent", f"The request content is not valid JSON: {error}.") from error


def _encoded(body: Any) -> tuple[bytes, str]:
    if body is None:
        return b"", "application/json; charset=utf-8"
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    return msgspec.json.encode(body), "application/json; charset=utf-8"
