"""The least of a Kubernetes client: JSON in, JSON out, one blocking request each; as the administrator."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from typing import Any

_TIMEOUT_SECONDS = 30.0
_PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "Endpoints": "endpoints"}


class ApiError(Exception):
    """An answer that isn't 2xx; `status` is its code, the message what the API server said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """A connection per request: a restart of the API server in between goes unnoticed, and nothing is left to close."""

    def __init__(self, url: str, context: ssl.SSLContext, token: str) -> None:
        self._host = urllib.parse.urlsplit(url).netloc
        self._context = context
        self._authorization = f"Bearer {token}"

    def get(self, path: str) -> Any:
        """Path with query → the decoded object."""
        return json.loads(self.raw("GET", path))

    def post(self, path: str, document: Any) -> Any:
        return json.loads(self.raw("POST", path, document))

    def put(self, path: str, document: Any) -> Any:
        return json.loads(self.raw("PUT", path, document))

    def patch(self, path: str, document: Any, kind: str = "merge-patch") -> Any:
        """A JSON merge patch (RFC 7386), or another `kind`."""
        return json.loads(self.raw("PATCH", path, document, f"application/{kind}+json"))

    def delete(self, path: str, grace_seconds: int | None = None) -> Any:
        options = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        return json.loads(self.raw("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options}))

    def create(self, document: Any) -> Any:
        """Create an object where its own apiVersion, kind and namespace say."""
        return self.post(collection_path(document), document)

    def exists(self, path: str) -> bool:
        """Whether there is an object; raises ApiError for any other answer than yes and no."""
        try:
            self.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def raw(self, method: str, path: str, document: Any = None, content_type: str = "application/json") -> bytes:
        """The body of a 2xx answer; raises ApiError for others, OSError when there is none. document: bytes as they
        are, anything else as JSON."""
        body = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
        fields = {"Authorization": self._authorization, "Content-Type": content_type, "Connection": "close"}
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            answer = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no whole answer: {error!r}") from error
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            raise ApiError(response.status, answer.decode(errors="replace"))
        return answer


def collection_path(document: Any) -> str:
    """The path to POST an object to: `/api/v1/namespaces/…/configmaps` for a ConfigMap."""
    version, kind = document["apiVersion"], document["kind"]
    namespace = document["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{_PLURALS.get(kind, kind.lower() + 's')}"
