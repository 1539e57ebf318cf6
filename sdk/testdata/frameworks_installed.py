"""Runs one example of docs/raw-body.md with the framework itself, where it is installed, and prints what it answers to a right signature, a
wrong one, none, and a right one over a body that is not said to be JSON: frameworks_installed.py <name> <file>"""

import asyncio
import hashlib
import hmac
import sys

name, file = sys.argv[1:]
# Not what json.dumps would write.
BODY = b'{ "event":"video.uploaded",  "data":{"n":1.0,"s":"\\u00e9/"} }'

if name == 'django':
    import django
    from django.conf import settings

    settings.configure(ROOT_URLCONF='urls', ALLOWED_HOSTS=['*'], MIDDLEWARE=['django.middleware.csrf.CsrfViewMiddleware'])
    django.setup()
example = {'__name__': 'example'}
exec(compile(open(file).read(), file, 'exec'), example)


def flask(headers, content_type='application/json'):
    return example['app'].test_client().post('/webhooks', data=BODY, content_type=content_type, headers=headers).status_code


def django(headers, content_type='application/json'):
    import types

    from django.test import Client
    from django.urls import path

    sys.modules['urls'] = types.ModuleType('urls')
    sys.modules['urls'].urlpatterns = [path('webhooks', example['webhooks'])]
    client = Client(enforce_csrf_checks=True)
    return client.post('/webhooks', data=BODY, content_type=content_type, **{'HTTP_' + k.upper().replace('-', '_'): v for k, v in headers.items()}).status_code


def fastapi(headers, content_type='application/json'):
    """By ASGI, in two pieces, for its test client wants one more package."""
    pieces = [{'type': 'http.request', 'body': BODY[:10], 'more_body': True}, {'type': 'http.request', 'body': BODY[10:], 'more_body': False}]
    answers = []
    scope = {
        'type': 'http', 'asgi': {'version': '3.0'}, 'http_version': '1.1', 'method': 'POST', 'scheme': 'http', 'path': '/webhooks', 'raw_path': b'/webhooks',
        'root_path': '', 'query_string': b'', 'client': ('127.0.0.1', 1), 'server': ('127.0.0.1', 80),
        'headers': [(b'content-type', content_type.encode())] + [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }

    async def receive():
        return pieces.pop(0) if pieces else {'type': 'http.disconnect'}

    async def send(message):
        answers.append(message)

    asyncio.run(example['app'](scope, receive, send))
    return answers[0]['status']


status = {'flask': flask, 'django': django, 'fastapi': fastapi}[name]


def signed(secret):
    return {'X-VideoCloud-Signature': hmac.new(secret, BODY, hashlib.sha256).hexdigest()}


right = signed(b'your_webhook_secret')
print(status(right), status(signed(b'another_secret')), status({}), status(right, 'text/plain'))
