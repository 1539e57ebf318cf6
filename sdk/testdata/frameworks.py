"""Runs one example of docs/raw-body.md, with stand-ins for the frameworks' documented request objects: frameworks.py <name> <file>"""

import asyncio
import hashlib
import hmac
import json
import sys
import types

name, file = sys.argv[1:]
# Not what json.dumps would write.
BODY = b'{ "event":"video.uploaded",  "data":{"n":1.0,"s":"\\u00e9/"} }'


class Request:
    """What Flask, Django and FastAPI have in common: headers by any case. The body is each one's own."""

    def __init__(self, headers):
        lower = {key.lower(): value for key, value in headers.items()}
        self.headers = types.SimpleNamespace(get=lambda key: lower.get(key.lower()))


class FlaskRequest(Request):
    json = json.loads(BODY)

    def get_data(self):
        return BODY


class DjangoRequest(Request):
    body = BODY

    @property
    def POST(self):
        raise AssertionError('it reads the body as a form')


class FastAPIRequest(Request):
    async def body(self):
        return BODY


class App:
    def __init__(self, *_):
        self.handler = None

    def route(self, *_, **__):
        def keep(handler):
            self.handler = handler
            return handler

        return keep

    post = route


def module(path, **members):
    parts = path.split('.')
    for i in range(len(parts)):
        sys.modules.setdefault('.'.join(parts[: i + 1]), types.ModuleType('.'.join(parts[: i + 1])))
    for key, value in members.items():
        setattr(sys.modules[path], key, value)


class Response:
    def __init__(self, status=None, status_code=None):
        self.status = status or status_code


module('flask', Flask=App, request=None)
module('django.http', HttpResponse=Response)
module('django.views.decorators.csrf', csrf_exempt=lambda view: view)
module('fastapi', FastAPI=App, Request=FastAPIRequest, Response=Response)
example = {}
exec(compile(open(file).read(), file, 'exec'), example)


def status(headers):
    if name == 'flask':
        example['request'] = FlaskRequest(headers)
        return example['webhooks']()[1]
    if name == 'django':
        return example['webhooks'](DjangoRequest(headers)).status
    return asyncio.run(example['webhooks'](FastAPIRequest(headers))).status


def signed(secret):
    return {'X-VideoCloud-Signature': hmac.new(secret, BODY, hashlib.sha256).hexdigest()}


assert status(signed(b'your_webhook_secret')) == 200
assert status(signed(b'another_secret')) == 401
assert status({}) == 401
