"""Stands in for Flask where it is not installed: as much of it as the guide's example uses, and nothing else."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_current = threading.local()


class _Request:
    @property
    def headers(self):
        return _current.headers

    def get_data(self):
        return _current.body

    @property
    def json(self):
        return json.loads(_current.body)


request = _Request()


def jsonify(value):
    return json.dumps(value)


class Flask:
    def __init__(self, import_name):
        self._routes = {}

    def route(self, path, methods=('GET',)):
        def register(view):
            for method in methods:
                self._routes[method, path] = view
            return view

        return register

    def run(self, host, port):
        routes = self._routes

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                _current.headers = self.headers
                _current.body = self.rfile.read(int(self.headers['Content-Length']))
                view = routes.get((self.command, self.path))
                answer = view() if view else ('', 404)
                body, status = answer if isinstance(answer, tuple) else (answer, 200)
                self.send_response(status)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        ThreadingHTTPServer((host, port), Handler).serve_forever()
