"""The one exception of this package: a gRPC error with its reason, field and advice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import grpc
from google.rpc import error_details_pb2, status_pb2


class RootstockError(Exception):
    """A call failed.

    `code` is the gRPC status code, `reason` a name of rootstock.common.v1.ErrorReason without its prefix ("NOT_FOUND"),
    `field` the path of the request's field that is wrong, `retry_after` the seconds to wait before another try. As text it
    is what the command line prints: the field, the message, and the reason in parentheses.
    """

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.reason = ""
        self.field = ""
        self.retry_after: float | None = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._read_details(status_pb2.Status.FromString(value))
        field = f"{self.field}: " if self.field else ""
        super().__init__(f"{field}{error.details()} ({self.reason or self.code.name})")

    def _read_details(self, status: status_pb2.Status) -> None:
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                self.reason = info.reason
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                self.field = bad.field_violations[0].field if bad.field_violations else ""
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """Turns gRPC's errors into RootstockError."""
    try:
        yield
    except grpc.RpcError as error:
        raise RootstockError(error) from error
