"""An API on loopback that answers what a test tells it to."""

from __future__ import annotations

import json
import os
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List
from unittest import mock

from videocloud import VideoCloud

HANG = object()
DROP = object()


def ok(data: Any, status: int = 200) -> Dict[str, Any]:
    return {'status': status, 'body': {'success': True, 'data': data}}


def refused(status: int, code: str, field: Any = None, **headers: str) -> Dict[str, Any]:
    error = {'code': code, 'message': f'about {code}'}
    if field:
        error['field'] = field
    return {'status': status, 'body': {'success': False, 'error': error}, 'headers': {k.replace('_', '-'): v for k, v in headers.items()}}


def unavailable() -> Dict[str, Any]:
    return refused(503, 'unavailable', Retry_After='0')


class Request:
    def __init__(self, method: str, target: str, headers: Any, text: str, connection: Any) -> None:
        self.method, self.target, self.headers, self.text, self.connection = method, target, headers, text, connection

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


class Stub:
    """Gives its answers in turn, the last one for ever."""

    def __init__(self, test: unittest.TestCase, *answers: Any) -> None:
        self.requests: List[Request] = []
        released = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def handle_any(self) -> None:
                text = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
                stub.requests.append(Request(self.command, self.path, self.headers, text, self.client_address))
                answer = answers[min(len(stub.requests), len(answers)) - 1]
                if callable(answer):
                    answer = answer(stub.requests[-1])
                if answer is HANG:
                    released.wait(10)
                if answer in (HANG, DROP):
                    self.close_connection = True
                    return
                content = answer['raw'] if 'raw' in answer else json.dumps(answer['body']).encode()
                self.send_response(answer['status'])
                for name, value in answer.get('headers', {}).items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                if answer.get('hang_up'):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        server.daemon_threads = True
        self.base_url = f'http://127.0.0.1:{server.server_address[1]}'
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True)
        thread.start()
        # The developer's proxy has no business here.
        plain = {k: v for k, v in os.environ.items() if not k.lower().endswith('_proxy') and not k.startswith('VIDEOCLOUD_')}
        environment = mock.patch.dict(os.environ, plain, clear=True)
        environment.start()
        test.addCleanup(environment.stop)
        test.addCleanup(server.server_close)
        test.addCleanup(server.shutdown)
        test.addCleanup(released.set)
        self._test = test

    def client(self, **options: Any) -> VideoCloud:
        client = VideoCloud(**{'api_key': 'test-key', 'base_url': self.base_url, **options})
        self._test.addCleanup(client.close)
        return client
