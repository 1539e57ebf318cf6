from __future__ import annotations

from typing import Optional


class VideoCloudError(Exception):
    """A request that the API refused, or that did not reach it."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 0,
        field: Optional[str] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        #: Why, in a word that does not change: the API's, or ``connection_error``, ``timeout``, ``unexpected_response``.
        self.code = code
        #: The HTTP status; 0 where there was no answer.
        self.status = status
        #: The field at fault, where there is one.
        self.field = field
        #: The request's ID, where the server or a proxy names it.
        self.request_id = request_id
        #: When to try again, in seconds, where the server says so.
        self.retry_after = retry_after

    def __str__(self) -> str:
        at_fault = f' ({self.field})' if self.field else ''
        return f'{self.code}: {self.message}{at_fault}'


class WebhookVerificationError(Exception):
    """A delivery that is not from the sender, or too old. Answer it with 401."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        #: ``signature_missing``, ``signature_malformed``, ``timestamp``, ``signature_mismatch``; or
        #: ``invalid_payload``: the signature is right, and the body is not an event.
        self.code = code
