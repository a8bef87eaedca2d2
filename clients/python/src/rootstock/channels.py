"""Connections: which addresses are taken, and the metadata that goes with every call."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable

import grpc

TENANT_KEY = "rootstock-tenant"
"""The metadata key that names the tenant whose a call is."""

_ID = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_GRPC_TARGET = re.compile(r"(dns|xds)://|unix:|ipv[46]:")
_HTTP_PORT = 80


def target(endpoint: str) -> str:
    """The gRPC target of an address: `http://HOST:PORT`, `HOST:PORT`, or a target in gRPC's own words (`dns:///HOST:PORT`).

    Raises ValueError for anything else, with what to give instead.
    """
    if _GRPC_TARGET.match(endpoint):
        return endpoint
    if endpoint.lower().startswith("https://"):
        raise ValueError(
            f"endpoint={endpoint!r} asks for TLS, which neither this client nor the server speaks: leave it to a proxy or "
            "mesh beside each of them, and give the proxy's plain address, http://HOST:PORT"
        )
    try:
        parts = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        host, port = parts.hostname, _HTTP_PORT if parts.port is None else parts.port
    except ValueError:
        host, port = None, None
    if host is None or re.search(r"\s|@", endpoint) or parts.scheme != "http":
        raise ValueError(f"endpoint={endpoint!r} is no address: give http://HOST:PORT or HOST:PORT")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"endpoint={endpoint!r} goes on after the port: give http://HOST:PORT alone")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connect(endpoint: str, tenant: str) -> grpc.Channel:
    """A connection to a target, made on first use; its calls are the tenant's, or nobody's in particular for ""."""
    interceptors = [_Tenant(tenant)] if tenant else []
    return grpc.intercept_channel(grpc.insecure_channel(endpoint), *interceptors)


class _Details(grpc.ClientCallDetails):
    """A call's details with metadata added."""

    def __init__(self, details: grpc.ClientCallDetails, key: str, value: str) -> None:
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = [*(details.metadata or ()), (key, value)]
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class _Tenant(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Names the tenant in every call, those through the stubs included."""

    def __init__(self, tenant: str) -> None:
        if not _ID.fullmatch(tenant):
            forms = "1 to 63 lower-case letters, digits, and . _ - between them"
            raise ValueError(f"tenant={tenant!r} must be an id: {forms}")
        self._tenant = tenant

    def _call(self, continuation: Callable, details: grpc.ClientCallDetails, request: object) -> object:
        return continuation(_Details(details, TENANT_KEY, self._tenant), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = _call
