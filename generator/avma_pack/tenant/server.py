"""The tenant's front door: HTTPS on loopback, in a thread of this process.

Every request passes here: faults, login, the lock of the world, the provider's handler, and back as JSON.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from avma_pack.tenant import blobs, login
from avma_pack.tenant.arm import ArmError, ArmRequest, ArmResponse, parse_path
from avma_pack.tenant.certificate import write_certificate
from avma_pack.tenant.providers import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from avma_pack.tenant.world import World

Recorder = "Callable[[Exchange], None]"


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
    """Serves a world until it is closed. `url` and `certificate` say how to reach it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.recorders: list[Callable[[Exchange], None]] = []
        self._dice = world.faults.dice()
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

    def _break_connections(self) -> None:
        """Clients keep connections open, and TLS would wait half a minute for their farewell."""
        for connection in list(self._server.server_state.connections):
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
            return  # uvicorn breaks a connection that it gets no answer for
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response | None:
        path = request.url.path
        try:
            self._meet_faults(path)
            answered = self._dispatch(request, body)
        except ConnectionResetError:
            return None
        except ArmError as error:
            answered = ArmResponse(error.status, error.body(), error.headers)
        content, kind = _encoded(answered.body)
        headers = {"x-ms-request-id": self.world.new_id("request", str(time.perf_counter_ns())), **answered.headers}
        response = Response(content, answered.status, headers, media_type=kind)
        self._record(request, body, answered.status, dict(response.headers), content)
        return response

    def _meet_faults(self, path: str) -> None:
        """Misbehave as the world's faults say, but never at the login's discovery."""
        faults = self.world.faults
        if login.is_login(path) or not faults.kinds or self._dice.random() >= faults.rate:
            return
        chosen = self._dice.choice(sorted(faults.kinds))
        if chosen == "throttle":
            message = "The request was throttled. Please try again after the time in Retry-After."
            raise ArmError(429, "TooManyRequests", message, headers={"Retry-After": "0"})
        if chosen == "server-error":
            raise ArmError(self._dice.choice([500, 503]), "InternalServerError", "The server had an error. Try again.")
        if chosen == "reset":
            raise ConnectionResetError
        if chosen == "delay":
            time.sleep(faults.delay_seconds)
        if chosen == "expired-token":
            raise ArmError(401, "ExpiredAuthenticationToken", "The access token expiry has passed.")

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
