"""Sends requests: authentication, envelope, time-outs and retries."""

from __future__ import annotations

import json
import math
import os
import platform
import random
import re
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, Dict, Mapping, Optional, Tuple, cast
from urllib.parse import quote, urlencode, urlsplit

from ._connections import HTTP, Connections, Exchange, Given, Stale
from ._errors import VideoCloudError
from ._version import __version__

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
# A server that asks for more patience than this gets its error passed on instead.
_LONGEST_RETRY_AFTER = 60.0
# No answer, or one that says to come back; 502 and 504 are a proxy's words for no answer.
_TRANSIENT = (0, 429, 502, 503, 504)


class Tries:
    """How a call went, for the caller: how many requests it took, and the ID of the last one that was answered."""

    count = 0
    request_id: Optional[str] = None


class Transport:
    def __init__(
        self,
        api_key: Optional[str],
        base_url: Optional[str],
        account: Optional[str],
        timeout: float,
        max_retries: int,
        ssl_context: Optional[ssl.SSLContext],
        http: Optional[HTTP],
    ) -> None:
        # What is wrong with a key or an address is said without showing it: errors end up in logs.
        if api_key is None:
            api_key = os.environ.get('VIDEOCLOUD_API_KEY')
        if not api_key:
            raise ValueError('api_key is missing: VideoCloud(api_key=…), or set VIDEOCLOUD_API_KEY')
        for name, value in (('api_key', api_key), ('account', account)):
            if value is not None and not (value and all('!' <= c <= '~' for c in value)):
                raise ValueError(f"{name} can't be empty, nor hold spaces, line breaks or anything but ASCII")
        if base_url is None:
            base_url = os.environ.get('VIDEOCLOUD_BASE_URL') or 'https://api.videocloud.com'
        try:
            parts = urlsplit(base_url)
            parts.port  # noqa: B018: it is read for its error
        except ValueError:
            raise ValueError('base_url: its host or port is none') from None
        if (
            parts.scheme not in ('http', 'https') or not parts.hostname or '@' in parts.netloc
            or any(c in '?#\\' or not '!' <= c <= '~' for c in base_url)
        ):  # fmt: skip
            raise ValueError('base_url: write https://host in ASCII, with a path if need be, and without user, query or fragment')
        for name, number, least in (('timeout', timeout, 0.001), ('max_retries', max_retries, 0)):
            if not number >= least:  # nor NaN
                raise ValueError(f'{name}: use a number from {least} on')
        self._path = parts.path.rstrip('/')
        self._max_retries = max_retries
        self._connections: Exchange
        if http is None:
            self._connections = Connections(parts.scheme, parts.hostname, parts.port, timeout, ssl_context)
        else:
            self._connections = Given(http, f'{parts.scheme}://{parts.netloc}')
        self._headers = {
            'Accept': 'application/json',
            'Authorization': f'Bearer {api_key}',
            'User-Agent': f'videocloud-python/{__version__} python/{platform.python_version()}',
        }
        if account is not None:
            self._headers['X-VideoCloud-Account'] = account

    def close(self) -> None:
        self._connections.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        repeatable: Optional[bool] = None,
        tries: Optional[Tries] = None,
        idempotency_key: Optional[str] = None,
    ) -> Any:
        """Sends a request and returns the answer's data. It is sent again only where that can't do anything twice."""
        if repeatable is None:
            repeatable = method != 'POST'
        if idempotency_key is not None and not re.fullmatch('[A-Za-z0-9_-]{1,128}', idempotency_key):
            raise ValueError('idempotency_key: use 1 to 128 letters, digits, dashes and underscores')
        target = self._path + path
        given = {k: v for k, v in (query or {}).items() if v is not None}
        if given:
            target += '?' + urlencode(given)
        content = None if body is None else encode(body)  # once: a repeated request is the same request
        tries = tries or Tries()
        while True:
            tries.count += 1
            try:
                answer = self._once(method, target, content, repeatable, idempotency_key)
                tries.request_id = _lower(answer[1]).get('x-request-id')
                return _unwrap(*answer)
            except VideoCloudError as error:
                if not repeatable or tries.count > self._max_retries or error.status not in _TRANSIENT:
                    raise
                delay = _delay(tries.count, error.retry_after)
                if delay is None:
                    raise
            time.sleep(delay)

    def _once(self, method: str, target: str, content: Optional[bytes], repeatable: bool, idempotency_key: Optional[str]) -> Tuple[int, Mapping[str, str], bytes]:
        headers = dict(self._headers)
        if idempotency_key is not None:
            headers['Idempotency-Key'] = idempotency_key
        if content is not None:
            headers['Content-Type'] = 'application/json'
        try:
            try:
                # A kept connection may have been closed by the server: no place for what may be sent but once.
                answer = self._connections.exchange(method, target, content, headers, reuse=repeatable)
            except Stale:
                answer = self._connections.exchange(method, target, content, headers, reuse=False)
        except (TimeoutError, socket.timeout) as error:  # one and the same since Python 3.10
            raise VideoCloudError(f'{method} {target}: no answer in time', code='timeout') from error
        except (OSError, HTTPException) as error:
            why = str(error) or type(error).__name__
            raise VideoCloudError(f'{method} {target}: {why}', code='connection_error') from error
        return answer


def path_with(prefix: str, id: str, suffix: str = '') -> str:
    """A path with an ID in it. An empty one, or one that a server takes for a folder, would name another resource."""
    if not isinstance(id, str) or id in ('', '.', '..'):
        raise ValueError(f'{prefix}: an ID is needed, got {id!r}')
    return f'{prefix}/{quote(id, safe="")}{suffix}'


def encode(body: Any) -> bytes:
    """JSON as receivers will see it: compact, and letters as they are."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(',', ':')).encode()
    except UnicodeEncodeError:  # half of a surrogate pair can only be escaped
        return json.dumps(body, allow_nan=False, separators=(',', ':')).encode()


def _unwrap(status: int, headers: Mapping[str, str], content: bytes) -> Any:
    try:
        parsed: Any = json.loads(content)
    except (ValueError, RecursionError):
        parsed = None
    envelope = cast(Dict[str, Any], parsed) if isinstance(parsed, dict) else {}
    if 200 <= status < 300 and envelope.get('success') is True:
        return envelope.get('data')
    error: Dict[str, Any] = envelope.get('error') or {}
    headers = _lower(headers)
    raise VideoCloudError(
        error.get('message') or f"status {status}, and the answer is not the API's; is base_url right?",
        code=error.get('code') or 'unexpected_response',
        status=status,
        field=error.get('field'),
        request_id=headers.get('x-request-id'),
        retry_after=_retry_after(headers.get('retry-after')),
    )


def _lower(headers: Mapping[str, str]) -> Dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _retry_after(value: Optional[str]) -> Optional[float]:
    if value is None:
        return None
    if re.fullmatch(r'[0-9]+(\.[0-9]+)?', value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _delay(tries: int, retry_after: Optional[float]) -> Optional[float]:
    """How long to wait before the next try: what the server says, else doubling with jitter."""
    if retry_after is not None:
        return retry_after if retry_after <= _LONGEST_RETRY_AFTER else None
    return min(_LONGEST_DELAY, _FIRST_DELAY * math.pow(2, min(tries - 1, 16))) * random.uniform(0.5, 1)
