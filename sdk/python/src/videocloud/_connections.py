"""Keeps connections to one server open between requests."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import threading
import time
from typing import List, Mapping, Optional, Protocol, Tuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

# Servers and load balancers close idle connections after a minute or so.
_LONGEST_IDLE = 20.0
_MOST_IDLE = 10


class Stale(Exception):
    """A kept connection turned out to be closed, before anything of an answer came."""


class HTTP(Protocol):
    """What sends requests in place of this package's own connections, such as a few lines around an ``httpx.Client``.

    It must not follow redirects, which would carry the key elsewhere, and bounds each request by its own time-out.
    """

    def request(
        self, method: str, url: str, headers: Mapping[str, str], content: Optional[bytes]
    ) -> Tuple[int, Mapping[str, str], bytes]:
        """Sends one request, and returns the answer's status, headers and body."""
        ...

    def close(self) -> None: ...


class Exchange(Protocol):
    """How the transport has one request answered."""

    def exchange(
        self, method: str, target: str, content: Optional[bytes], headers: Mapping[str, str], reuse: bool
    ) -> Tuple[int, Mapping[str, str], bytes]: ...

    def close(self) -> None: ...


class Given:
    """Sends through what the client was given."""

    def __init__(self, http: HTTP, origin: str) -> None:
        self._http = http
        self._origin = origin

    def exchange(
        self, method: str, target: str, content: Optional[bytes], headers: Mapping[str, str], reuse: bool
    ) -> Tuple[int, Mapping[str, str], bytes]:
        try:
            return self._http.request(method, self._origin + target, headers, content)
        except OSError:
            raise
        except Exception as error:
            # Each library has its own; the transport knows those of the standard library.
            if 'timeout' in type(error).__name__.lower():
                raise TimeoutError(str(error)) from error
            raise ConnectionError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        self._http.close()


class Connections:
    """A small pool. Safe with threads, and in a process that was forked off."""

    def __init__(
        self, scheme: str, host: str, port: Optional[int], timeout: float, ssl_context: Optional[ssl.SSLContext]
    ) -> None:
        self._secure = scheme == 'https'
        self._host = host
        self._port = port or (443 if self._secure else 80)
        self._timeout = timeout
        self._context = (ssl_context or ssl.create_default_context()) if self._secure else None
        self._lock = threading.Lock()
        self._idle: List[Tuple[http.client.HTTPConnection, float]] = []
        self._pid = os.getpid()
        address = f'[{host}]' if ':' in host else host
        self._origin = f'{scheme}://{address}:{self._port}'
        proxy = None if proxy_bypass(host) else getproxies().get(scheme)
        self._proxy = urlsplit(proxy if '://' in proxy else f'http://{proxy}') if proxy else None

    def exchange(
        self, method: str, target: str, content: Optional[bytes], headers: Mapping[str, str], reuse: bool
    ) -> Tuple[int, Mapping[str, str], bytes]:
        """Sends one request and reads its answer. Redirects are not followed: one would carry the key elsewhere."""
        kept = self._take() if reuse else None
        connection = kept or self._connect()
        keep = False
        try:
            try:
                connection.request(method, self._target(target), content, {**headers, **self._proxy_headers()})
                response = connection.getresponse()
            except (http.client.BadStatusLine, ConnectionError) as error:
                if kept is not None:
                    raise Stale from error
                raise
            body = response.read()
            keep = not response.will_close
            return response.status, dict(response.headers.items()), body
        finally:
            if keep:
                self._give(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Closes what is kept open."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._host, self._port
        if self._proxy is not None:
            host, port = self._proxy.hostname or '', self._proxy.port or 80
        if not self._secure:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)
        if self._proxy is not None:
            connection.set_tunnel(self._host, self._port, self._proxy_authorization())
        return connection

    def _target(self, target: str) -> str:
        return self._origin + target if self._proxy is not None and not self._secure else target

    def _proxy_headers(self) -> Mapping[str, str]:
        return {} if self._secure else self._proxy_authorization()

    def _proxy_authorization(self) -> Mapping[str, str]:
        if self._proxy is None or self._proxy.username is None:
            return {}
        login = f'{unquote(self._proxy.username)}:{unquote(self._proxy.password or "")}'
        return {'Proxy-Authorization': 'Basic ' + base64.b64encode(login.encode()).decode()}

    def _take(self) -> Optional[http.client.HTTPConnection]:
        with self._lock:
            if self._pid != os.getpid():  # the sockets belong to the parent too
                self._idle, self._pid = [], os.getpid()
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since < _LONGEST_IDLE:
                    return connection
                connection.close()
        return None

    def _give(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if self._pid == os.getpid() and len(self._idle) < _MOST_IDLE:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()
