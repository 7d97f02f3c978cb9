"""Azure Resource Manager over one azure-core pipeline: thin requests, JSON in and out.

Retries are bounded and honour Retry-After; a token that Azure calls invalid is asked for anew, once a request. A
refused login or permission, an unreachable service and a refused request become errors of the pack, with the request's
id and without any secret.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core import PipelineClient
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest

import avma_pack
from avma_pack.errors import AccessError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.rest import HttpResponse

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 401, 403, 429, 500

_RETRIES = 6
"""Of each sort of failure; azure-core's own three of a sort would end the retries before their total does."""

_RETRIED_METHODS = frozenset({"GET", "PUT", "DELETE", "POST"})
"""POST, which azure-core leaves out, too: here it asks or starts what can be started again, and never adds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the status, the parsed body (None where there is none), and the headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _TokenPolicy(BearerTokenCredentialPolicy["HttpRequest", "HttpResponse"]):
    """Bearer tokens that are asked for anew, once a request, where Azure calls them invalid.

    azure-core itself drops the token on a 401, but sends the request again for a challenge with claims alone.
    """

    def on_challenge(
        self,
        request: PipelineRequest[HttpRequest],
        response: PipelineResponse[HttpRequest, HttpResponse],
    ) -> bool:
        """Whether to send the request again, with another token."""
        if super().on_challenge(request, response):
            return True
        if 'error="invalid_token"' not in response.http_response.headers.get("WWW-Authenticate", ""):
            return False
        self.authorize_request(request, *self._scopes)
        return True


class Arm:
    """A client for one cloud's Resource Manager. Close it, or use it in a `with` statement."""

    def __init__(self, endpoint: str, credential: TokenCredential, *, certificate: str | None = None) -> None:
        """`certificate` is a file of authorities to trust instead of the system's, for a proxy or a loopback."""
        scope = f"{endpoint.rstrip('/')}/.default"
        policies = [
            RequestIdPolicy(),
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy(sdk_moniker=f"avma-pack/{avma_pack.__version__}"),
            RetryPolicy(
                retry_total=_RETRIES,
                retry_connect=_RETRIES,
                retry_read=_RETRIES,
                retry_status=_RETRIES,
                retry_backoff_factor=0.4,
                retry_backoff_max=30,
            ),
            _TokenPolicy(credential, scope),
        ]
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            endpoint, policies=policies, connection_verify=certificate or True, connection_timeout=20, read_timeout=100
        )

    def __enter__(self) -> Arm:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def send(self, method: str, path: str, api_version: str, *, body: Any = None) -> Answer:
        """Send one request to a path of ARM.

        Raises:
            AccessError: the login or a permission is refused.
            UnavailableError: the service cannot be reached, or throttles or fails to the end.
            RefusedError: the service refuses the request.
        """
        request = HttpRequest(
            method,
            self._client.format_url(path),
            params={"api-version": api_version},
            content=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            response = self._client.send_request(request, retry_on_methods=_RETRIED_METHODS)
            response.read()
        except ClientAuthenticationError as error:
            next_step = "Log in, for example with `az login`."
            raise AccessError(f"Login failed: {error.message}", next_step=next_step) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            raise UnavailableError(
                f"{method} {path}: Azure cannot be reached: {error.message}",
                next_step="Check network and proxy, then run the command again.",
            ) from error
        except AzureError as error:
            raise UnavailableError(f"{method} {path}: {error.message}") from error
        if response.status_code >= 400:  # noqa: PLR2004 - the first status that is an error
            raise _refusal(method, path, response)
        text = response.content
        parsed = json.loads(text) if text and "json" in response.headers.get("content-type", "") else text or None
        return Answer(response.status_code, parsed, response.headers)


def _refusal(method: str, path: str, response: HttpResponse) -> AccessError | UnavailableError | RefusedError:
    code, message = _error_of(response)
    request_id = response.headers.get("x-ms-request-id", "none")
    text = f"{method} {path}: {code}: {message} (status {response.status_code}, request {request_id})"
    if response.status_code in (_UNAUTHORIZED, _FORBIDDEN):
        return AccessError(text, next_step="Use an account that is allowed to do this at this scope.")
    if response.status_code == _TOO_MANY or response.status_code >= _SERVER_ERROR:
        return UnavailableError(text, next_step="Wait a moment, then run the command again.")
    return RefusedError(text, code=code)


def _error_of(response: HttpResponse) -> tuple[str, str]:
    try:
        error = json.loads(response.content)["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "unknown", response.text()[:200]
