"""Runs one example of docs/raw-body.md, with stand-ins for the frameworks' documented request objects, and prints what it answers to a right
signature, a wrong one, none, and a right one over a body that is not said to be JSON: frameworks.py <name> <file>"""

import asyncio
import hashlib
import hmac
import inspect
import json
import sys
import types

name, file = sys.argv[1:]
# Not what json.dumps would write.
BODY = b'{ "event":"video.uploaded",  "data":{"n":1.0,"s":"\\u00e9/"} }'


class Request:
    """What Flask, Django and FastAPI have in common: headers by any case. The body is each one's own."""

    def __init__(self, headers, content_type):
        lower = {key.lower(): value for key, value in headers.items()}
        self.headers = types.SimpleNamespace(get=lambda key: lower.get(key.lower()))
        self.content_type = content_type


class Refused(Exception):
    """An answer that the framework gives in place of the example."""


class FlaskRequest(Request):
    def get_data(self):
        return BODY

    @property
    def json(self):
        if self.content_type != 'application/json':
            raise Refused(415)
        return json.loads(BODY)


class DjangoRequest(Request):
    body = BODY


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


def csrf_exempt(view):
    view.csrf_exempt = True
    return view


module('flask', Flask=App, request=None)
module('django.http', HttpResponse=Response)
module('django.views.decorators.csrf', csrf_exempt=csrf_exempt)
module('fastapi', FastAPI=App, Request=FastAPIRequest, Response=Response)
example = {}
exec(compile(open(file).read(), file, 'exec'), example)


def flask(*request):
    example['request'] = FlaskRequest(*request)
    return example['webhooks']()[1]


def django(*request):
    if not getattr(example['webhooks'], 'csrf_exempt', False):
        raise Refused(403)
    return example['webhooks'](DjangoRequest(*request)).status


def fastapi(*request):
    """A parameter that is no request is the body, parsed before the call."""
    arguments = []
    for parameter in inspect.signature(example['webhooks']).parameters.values():
        if parameter.annotation is FastAPIRequest:
            arguments.append(FastAPIRequest(*request))
        elif request[1] != 'application/json':
            raise Refused(422)
        else:
            arguments.append(json.loads(BODY))
    return asyncio.run(example['webhooks'](*arguments)).status


def status(headers, content_type='application/json'):
    try:
        return {'flask': flask, 'django': django, 'fastapi': fastapi}[name](headers, content_type)
    except Refused as refused:
        return refused.args[0]


def signed(secret):
    return {'X-VideoCloud-Signature': hmac.new(secret, BODY, hashlib.sha256).hexdigest()}


right = signed(b'your_webhook_secret')
print(status(right), status(signed(b'another_secret')), status({}), status(right, 'text/plain'))
