import inspect
import json
import os
import re
import socket
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

from tests.stub import DROP, HANG, Stub, ok, refused, unavailable
from videocloud import PublishedEvent, VideoCloud, VideoCloudError

NOON = datetime(2024, 3, 31, 12, tzinfo=timezone.utc)
WEBHOOK = {
    'id': 'whk_123456',
    'url': 'https://your-server.com/webhooks',
    'events': ['video.uploaded'],
    'status': 'active',
    'createdAt': '2024-03-31T12:00:00Z',
}
PUBLISHED = {'id': 'evt_1', 'event': 'video.deleted', 'timestamp': '2024-03-31T12:00:00Z', 'deliveries': [], 'duplicate': False}
DELIVERY = {
    'id': 'dlv_1', 'eventId': 'evt_1', 'event': 'video.deleted', 'webhookId': 'whk_1', 'state': 'failed', 'reason': 'expired',
    'createdAt': '2024-03-31T12:00:00.123456789Z', 'nextAttemptAt': '2024-03-31T14:00:00+02:00',
    'attempts': [{'number': 1, 'at': '2024-03-31T12:00:00Z', 'durationMs': 12, 'statusCode': 500, 'error': 'status 500', 'responseBody': 'no'}],
}
EVENT = {'id': 'evt_1', 'event': 'video.deleted', 'timestamp': '2024-03-31T12:00:00Z', 'data': {'n': 12345678901234567890}, 'deliveries': [DELIVERY]}
REPLAY = {'id': 'rpl_1', 'webhookId': 'whk_1', 'state': 'running', 'matched': 3, 'unavailable': 1, 'sent': 2, 'createdAt': '2024-03-31T12:00:00Z'}

KEY = {'id': 'key_1', 'account': 'a', 'role': 'read', 'createdAt': '2024-03-31T12:00:00Z'}
LINK = {'id': 'key_1', 'url': 'https://x/#token=t', 'token': 't', 'expiresAt': '2024-03-31T12:00:00Z'}

SUMMARY = {'id': 'evt_1', 'event': 'video.deleted', 'timestamp': '2024-03-31T12:00:00Z', 'createdAt': '2024-03-31T12:00:00Z', 'deliveries': {'pending': 1, 'retrying': 0, 'succeeded': 2, 'failed': 0, 'cancelled': 0}}

#: Every request: what is called, what must be sent, what is answered.
STATS = {'window': '1h', 'bucketSeconds': 60, 'buckets': [{'at': '2024-03-31T12:00:00Z', 'succeeded': 0, 'failed': 0, 'p50Ms': None, 'p95Ms': None}], 'totals': {'succeeded': 0, 'failed': 0}, 'waiting': 0, 'oldestDueSeconds': 0}
ACCOUNT = {'account': 'shop', 'createdAt': '2024-03-31T12:00:00Z', 'notifyEmail': [{'address': 'a@example.com', 'confirmed': False}]}
CALLS = {
    'webhooks.register': (
        lambda c: c.webhooks.register(url=WEBHOOK['url'], events=['video.*'], secret='your_webhook_secret', rate_limit=5, filter='data.size > 1', retry=['0s', timedelta(minutes=1)], timeout='30s'),
        'POST', '/webhooks', {'url': WEBHOOK['url'], 'events': ['video.*'], 'secret': 'your_webhook_secret', 'rateLimit': 5,
                               'filter': 'data.size > 1', 'retry': ['0s', '60s'], 'timeout': '30s'}, WEBHOOK),
    'events.list': (
        lambda c: c.events.list(event='video.deleted', since=NOON, limit=2),
        'GET', '/events?event=video.deleted&since=2024-03-31T12%3A00%3A00Z&limit=2', None, {'items': [SUMMARY]}),
    'webhooks.list': (lambda c: c.webhooks.list(limit=2, cursor='a&b'), 'GET', '/webhooks?limit=2&cursor=a%26b', None, {'items': [WEBHOOK]}),
    'webhooks.get': (lambda c: c.webhooks.get('whk_1'), 'GET', '/webhooks/whk_1', None, WEBHOOK),
    'webhooks.update': (
        lambda c: c.webhooks.update('whk_1', secret='new_webhook_secret', secret_overlap=timedelta(hours=24), description='', max_in_flight=0, retry=[], timeout=''),
        'PUT', '/webhooks/whk_1', {'secret': 'new_webhook_secret', 'secretOverlap': '86400s', 'description': '', 'maxInFlight': 0,
                                   'retry': None, 'timeout': None}, WEBHOOK),
    'webhooks.delete': (lambda c: c.webhooks.delete('whk_1'), 'DELETE', '/webhooks/whk_1', None, {'id': 'whk_1'}),
    'webhooks.test': (lambda c: c.webhooks.test('whk_1'), 'POST', '/webhooks/whk_1/test', None, PUBLISHED),
    'webhooks.test_filter': (
        lambda c: c.webhooks.test_filter('data.size > 1', 'video.uploaded', {'size': 2}),
        'POST', '/webhooks/filter-test', {'filter': 'data.size > 1', 'event': 'video.uploaded', 'data': {'size': 2}}, {'matches': True}),
    'webhooks.pause': (lambda c: c.webhooks.pause('whk_1'), 'PUT', '/webhooks/whk_1', {'status': 'paused'}, WEBHOOK),
    'webhooks.resume': (lambda c: c.webhooks.resume('whk_1'), 'PUT', '/webhooks/whk_1', {'status': 'active'}, WEBHOOK),
    'webhooks.replay': (
        lambda c: c.webhooks.replay('whk_1', since=NOON, until='2024-04-01T00:00:00Z', events=['video.*'], state='all'),
        'POST', '/webhooks/whk_1/replay',
        {'since': '2024-03-31T12:00:00Z', 'until': '2024-04-01T00:00:00Z', 'events': ['video.*'], 'state': 'all'}, REPLAY),
    'webhooks.deliveries': (
        lambda c: c.webhooks.deliveries('whk_1', state='failed', since=NOON),
        'GET', '/webhooks/whk_1/deliveries?state=failed&since=2024-03-31T12%3A00%3A00Z', None, {'items': [DELIVERY]}),
    'events.publish': (
        lambda c: c.events.publish('video.deleted', {'title': '日本語 <&>'}, id='evt_1', timestamp=NOON),
        'POST', '/events', {'event': 'video.deleted', 'data': {'title': '日本語 <&>'}, 'id': 'evt_1', 'timestamp': '2024-03-31T12:00:00Z'}, PUBLISHED),
    'events.publish_batch': (
        lambda c: c.events.publish_batch([{'event': 'video.deleted', 'data': {}, 'id': 'a'}]),
        'POST', '/events/batch', {'events': [{'event': 'video.deleted', 'data': {}, 'id': 'a'}]}, {'items': [PUBLISHED]}),
    'events.get': (lambda c: c.events.get('evt_1'), 'GET', '/events/evt_1', None, EVENT),
    'deliveries.get': (lambda c: c.deliveries.get('dlv_1'), 'GET', '/deliveries/dlv_1', None, DELIVERY),
    'deliveries.retry': (lambda c: c.deliveries.retry('dlv_1'), 'POST', '/deliveries/dlv_1/retry', None, DELIVERY),
    'deliveries.list': (lambda c: c.deliveries.list('whk_1'), 'GET', '/webhooks/whk_1/deliveries', None, {'items': [DELIVERY]}),
    'deliveries.search': (lambda c: c.deliveries.search(state='failed', event_id='evt_1'), 'GET', '/deliveries?state=failed&eventId=evt_1', None, {'items': [DELIVERY]}),
    'replays.get': (lambda c: c.replays.get('rpl_1'), 'GET', '/replays/rpl_1', None, REPLAY),
    'event_types.list': (lambda c: c.event_types.list(), 'GET', '/event-types', None, {'items': [{'name': 'video.deleted', 'description': '', 'group': 'video'}]}),
    'webhooks.retry_failed': (lambda c: c.webhooks.retry_failed('whk_1', event='video.deleted'), 'POST', '/webhooks/whk_1/retry', {'state': 'failed', 'event': 'video.deleted'}, REPLAY),
    'replays.list': (lambda c: c.replays.list(limit=2), 'GET', '/replays?limit=2', None, {'items': [REPLAY]}),
    'replays.cancel': (lambda c: c.replays.cancel('rpl_1'), 'DELETE', '/replays/rpl_1', None, REPLAY),
    'api_keys.create': (lambda c: c.api_keys.create('read', expires_in='1h0m0s'), 'POST', '/api-keys', {'role': 'read', 'expiresIn': '1h0m0s'}, KEY),
    'api_keys.list': (lambda c: c.api_keys.list(limit=2), 'GET', '/api-keys?limit=2', None, {'items': [KEY]}),
    'events.delete': (lambda c: c.events.delete('evt_1'), 'DELETE', '/events/evt_1', None, {'id': 'evt_1'}),
    'event_types.put': (lambda c: c.event_types.put('order.paid', schema=None), 'PUT', '/event-types/order.paid', {'schema': None}, {'name': 'order.paid', 'description': '', 'group': 'order'}),
    'event_types.delete': (lambda c: c.event_types.delete('order.paid'), 'DELETE', '/event-types/order.paid', None, {'name': 'order.paid'}),
    'api_keys.delete': (lambda c: c.api_keys.delete('key_1'), 'DELETE', '/api-keys/key_1', None, {'id': 'key_1'}),
    'stats.get': (lambda c: c.stats.get(window='1h'), 'GET', '/stats?window=1h', None, STATS),
    'webhooks.stats': (lambda c: c.webhooks.stats('whk_1'), 'GET', '/webhooks/whk_1/stats', None, STATS),
    'accounts.get': (lambda c: c.accounts.get(), 'GET', '/account', None, ACCOUNT),
    'accounts.update': (
        lambda c: c.accounts.update(notify_email=['a@example.com'], notify_url='', name='Shop'),
        'PUT', '/account', {'name': 'Shop', 'notifyEmail': ['a@example.com'], 'notifyUrl': ''}, ACCOUNT),
    'accounts.confirm': (
        lambda c: c.accounts.confirm('t'),
        'POST', '/account/confirm', {'token': 't'}, {'address': 'a@example.com', 'confirmed': True},
    ),
    'accounts.delete': (lambda c: c.accounts.delete('shop.one'), 'DELETE', '/accounts/shop.one', None, {'account': 'shop.one'}),
    'accounts.list': (lambda c: c.accounts.list(limit=2), 'GET', '/accounts?limit=2', None, {'items': [ACCOUNT]}),
    'portal_links.create': (lambda c: c.portal_links.create(webhook_id='whk_1'), 'POST', '/portal-links', {'webhookId': 'whk_1'}, LINK),
}
ONCE = {'webhooks.register', 'webhooks.update', 'webhooks.test', 'webhooks.replay', 'deliveries.retry', 'webhooks.retry_failed', 'api_keys.create', 'portal_links.create', 'accounts.update', 'accounts.confirm'}  # the updates have an overlap, and a secret to be made


class Calls(unittest.TestCase):
    def test_every_call(self):
        for name, (call, method, target, body, answer) in CALLS.items():
            with self.subTest(name):
                api = Stub(self, ok(answer))
                call(api.client())
                request = api.requests[0]
                self.assertEqual((request.method, request.target, request.body), (method, target, body))
                self.assertEqual(request.headers['Authorization'], 'Bearer test-key')
                self.assertEqual(request.headers['Content-Type'], 'application/json' if body else None)
                self.assertRegex(request.headers['User-Agent'], '^videocloud-python/')

    def test_the_operations_listed_for_all_sdks_are_these(self):
        path = Path(__file__).parents[2] / 'testdata' / 'operations.json'
        for operation in json.loads(path.read_text())['operations']:
            _, method, target, *_ = CALLS[operation['python']]
            target = re.sub('/(whk|evt|dlv|rpl|key)_1', '/{id}', target.split('?')[0]).replace('/order.paid', '/{name}').replace('/shop.one', '/{account}')
            self.assertEqual((method, target), (operation['method'], operation['path']))

    def test_letters_are_sent_as_they_are_and_half_a_surrogate_pair_escaped(self):
        api = Stub(self, ok(PUBLISHED))
        api.client().events.publish('video.deleted', {'a': 'é'}, id='x')
        self.assertEqual(api.requests[0].text, '{"event":"video.deleted","data":{"a":"é"},"id":"x"}')
        api.client().events.publish('video.deleted', {'a': '\ud800'}, id='x')
        self.assertEqual(api.requests[1].text, '{"event":"video.deleted","data":{"a":"\\ud800"},"id":"x"}')
        with self.assertRaises(ValueError):
            api.client().events.publish('video.deleted', {'a': float('nan')})


class Answers(unittest.TestCase):
    def test_the_guides_webhook(self):
        answer = {**WEBHOOK, 'lastDelivery': {'success': True, 'timestamp': '2024-03-31T12:05:00Z'}, 'futureField': 1}
        webhook = Stub(self, ok(answer)).client().webhooks.get('whk_123456')
        self.assertEqual((webhook.id, webhook.url, webhook.events, webhook.status), tuple(WEBHOOK[k] for k in ('id', 'url', 'events', 'status')))
        self.assertEqual(webhook.created_at, NOON)
        self.assertTrue(webhook.last_delivery.success)
        self.assertEqual(webhook.last_delivery.timestamp, NOON + timedelta(minutes=5))
        self.assertIsNone(webhook.description)

    def test_a_secret_is_readable_and_not_printed(self):
        webhook = Stub(self, ok({**WEBHOOK, 'secret': 'made_webhook_secret'}, 201)).client().webhooks.register('https://a', ['*'])
        self.assertEqual(webhook.secret, 'made_webhook_secret')
        self.assertNotIn('made_webhook_secret', repr(webhook))

    def test_an_event_with_its_deliveries(self):
        event = Stub(self, ok(EVENT)).client().events.get('evt_1')
        self.assertEqual(event.data, {'n': 12345678901234567890})
        delivery = event.deliveries[0]
        self.assertEqual((delivery.event_id, delivery.webhook_id, delivery.state, delivery.reason), ('evt_1', 'whk_1', 'failed', 'expired'))
        self.assertEqual(delivery.created_at, NOON.replace(microsecond=123456))
        self.assertEqual(delivery.next_attempt_at, NOON)
        attempt = delivery.attempts[0]
        self.assertEqual((attempt.number, attempt.duration_ms, attempt.status_code, attempt.response_body), (1, 12, 500, 'no'))

    def test_a_batch_keeps_its_order_errors_included(self):
        failure = {'error': {'code': 'invalid_field', 'message': 'data must be an object', 'field': 'data'}}
        api = Stub(self, {**ok({'items': [PUBLISHED, failure]}), 'headers': {'X-Request-Id': 'req_1'}})
        first, second = api.client().events.publish_batch([{'event': 'video.deleted', 'data': {}}] * 2)
        self.assertIsInstance(first, PublishedEvent)
        self.assertIsInstance(second, VideoCloudError)
        self.assertEqual((second.code, second.field, second.request_id), ('invalid_field', 'data', 'req_1'))
        ids = {e['id'] for e in api.requests[0].body['events']}
        self.assertEqual(len(ids), 2)

    def test_a_list_is_one_page_and_iterates_through_all(self):
        def answer(request):
            last = 'cursor=next' in request.target
            found = [{**DELIVERY, 'id': i} for i in ('c' if last else 'ab')]
            return ok({'items': found} if last else {'items': found, 'nextCursor': 'next'})

        api = Stub(self, answer)
        page = api.client().deliveries.list('whk_1', state='failed', limit=2)
        self.assertEqual(([d.id for d in page.items], page.next_cursor, len(api.requests)), (['a', 'b'], 'next', 1))
        self.assertEqual([d.id for d in page], ['a', 'b', 'c'])
        self.assertEqual(api.requests[1].target, '/webhooks/whk_1/deliveries?state=failed&limit=2&cursor=next')


class Errors(unittest.TestCase):
    def test_say_code_status_field_message_and_request_id(self):
        api = Stub(self, refused(422, 'unsafe_url', 'url', X_Request_Id='req_1'))
        with self.assertRaises(VideoCloudError) as caught:
            api.client().webhooks.register('http://x', ['*'])
        e = caught.exception
        self.assertEqual((e.code, e.status, e.field, e.message, e.request_id), ('unsafe_url', 422, 'url', 'about unsafe_url', 'req_1'))
        self.assertEqual(str(e), 'unsafe_url: about unsafe_url (url)')

    def test_an_answer_that_is_not_the_apis(self):
        answers = {
            'a page of HTML': {'status': 404, 'raw': b'<html>'},
            'HTML with 200': {'status': 200, 'raw': b'<html>'},
            'a list': {'status': 200, 'raw': b'[]'},
            'null': {'status': 200, 'raw': b'null'},
            'not UTF-8': {'status': 200, 'raw': b'\xff'},
            'a redirect': {'status': 302, 'raw': b'', 'headers': {'Location': 'http://127.0.0.1:1/'}},
            'another object': ok({'id': 7}),
            'no object': ok(None),
            'a time that is none': ok({**WEBHOOK, 'createdAt': 'yesterday'}),
        }
        for name, answer in answers.items():
            with self.subTest(name):
                api = Stub(self, answer)
                with self.assertRaises(VideoCloudError) as caught:
                    api.client().webhooks.get('whk_1')
                self.assertEqual((caught.exception.code, caught.exception.status), ('unexpected_response', answer['status']))
                self.assertEqual(len(api.requests), 1)
        with self.assertRaises(VideoCloudError):
            Stub(self, ok({})).client().webhooks.list()

    def test_no_server(self):
        client = Stub(self, ok({})).client(base_url='http://127.0.0.1:1', max_retries=0)
        with self.assertRaises(VideoCloudError) as caught:
            client.webhooks.get('whk_1')
        self.assertEqual((caught.exception.code, caught.exception.status), ('connection_error', 0))

    def test_no_answer_in_time(self):
        with self.assertRaises(VideoCloudError) as caught:
            Stub(self, HANG).client(timeout=0.05, max_retries=0).webhooks.get('whk_1')
        self.assertEqual(caught.exception.code, 'timeout')

    def test_wrong_settings_and_missing_ids_are_told_before_anything_is_sent(self):
        api = Stub(self, ok(WEBHOOK))
        for options in ({'api_key': ''}, {'api_key': 'a\nb'}, {'base_url': 'localhost:8080'}, {'base_url': 'ftp://a'}, {'base_url': 'http://'},
                        {'max_retries': -1}, {'max_retries': float('nan')}, {'timeout': 0}, {'timeout': float('nan')}):  # fmt: skip
            with self.subTest(options), self.assertRaises(ValueError):
                api.client(**options)
        for id in ('', '.', '..', None):
            for call in (api.client().webhooks.delete, api.client().event_types.put, api.client().event_types.delete):
                with self.subTest(id), self.assertRaises(ValueError):
                    call(id)
        with self.assertRaises(TypeError):
            api.client().webhooks.register('https://a', 'video.uploaded')
        api.client().webhooks.get('a/../b?c')
        self.assertEqual([r.target for r in api.requests], ['/webhooks/a%2F..%2Fb%3Fc'])


class Retries(unittest.TestCase):
    def test_publish_repeats_the_very_same_event(self):
        api = Stub(self, unavailable(), DROP, refused(429, 'limit_reached', Retry_After='0'), ok({**PUBLISHED, 'duplicate': True}, 202))
        published = api.client().events.publish('video.deleted', {})
        self.assertTrue(published.duplicate)
        self.assertEqual(len({r.text for r in api.requests}), 1)
        self.assertRegex(api.requests[0].body['id'], r'^evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$')
        api.client().events.publish('video.deleted', {})
        self.assertNotEqual(api.requests[0].body['id'], api.requests[-1].body['id'])

    def test_only_what_may_be_repeated_is(self):
        for name, (call, _, _, _, answer) in CALLS.items():
            with self.subTest(name):
                api = Stub(self, unavailable(), ok(answer))
                if name in ONCE:
                    with self.assertRaises(VideoCloudError) as caught:
                        call(api.client())
                    self.assertEqual((caught.exception.status, caught.exception.retry_after), (503, 0))
                    self.assertEqual(len(api.requests), 1)
                else:
                    call(api.client())
                    self.assertEqual(len(api.requests), 2)

    def test_a_plain_update_and_a_dry_run_are_repeated(self):
        api = Stub(self, unavailable(), ok(WEBHOOK), unavailable(), ok(REPLAY))
        api.client().webhooks.update('whk_1', events=['*'])
        api.client().webhooks.replay('whk_1', since=NOON, dry_run=True)
        self.assertEqual(api.requests[-1].body, {'since': '2024-03-31T12:00:00Z', 'dryRun': True})

    def test_a_registration_with_a_key_and_a_secret_is_repeated(self):
        api = Stub(self, unavailable(), ok(WEBHOOK, 201))
        api.client().webhooks.register('https://example.com/', ['*'], 'your_webhook_secret', idempotency_key='shop-1')
        self.assertEqual([r.headers['Idempotency-Key'] for r in api.requests], ['shop-1', 'shop-1'])
        api = Stub(self, unavailable())
        with self.assertRaises(VideoCloudError):
            api.client().webhooks.register('https://example.com/', ['*'], idempotency_key='shop-1')
        with self.assertRaises(ValueError):
            api.client().webhooks.register('https://example.com/', ['*'], idempotency_key='a\nb')
        self.assertEqual(len(api.requests), 1)

    def test_a_delete_whose_first_answer_was_lost_has_worked(self):
        api = Stub(self, DROP, refused(404, 'not_found'))
        api.client().webhooks.delete('whk_1')
        self.assertEqual(len(api.requests), 2)
        with self.assertRaises(VideoCloudError):
            api.client().webhooks.delete('whk_1')

    def test_end_after_max_retries(self):
        api = Stub(self, unavailable())
        with self.assertRaises(VideoCloudError):
            api.client(max_retries=2).event_types.list()
        self.assertEqual(len(api.requests), 3)

    def test_do_not_wait_for_a_server_that_asks_for_an_hour(self):
        api = Stub(self, refused(503, 'unavailable', Retry_After='3600'))
        with self.assertRaises(VideoCloudError) as caught:
            api.client().event_types.list()
        self.assertEqual((caught.exception.retry_after, len(api.requests)), (3600, 1))


class ConnectionsKept(unittest.TestCase):
    def test_are_used_again(self):
        api = Stub(self, ok(WEBHOOK))
        with api.client() as client:
            for _ in range(3):
                client.webhooks.get('whk_1')
        self.assertEqual(len({r.connection for r in api.requests}), 1)

    def test_that_the_server_closed_do_not_use_up_a_retry(self):
        api = Stub(self, {**ok(WEBHOOK), 'hang_up': True})
        client = api.client(max_retries=0)
        for _ in range(3):
            client.webhooks.get('whk_1')
        self.assertEqual(len(api.requests), 3)

    def test_are_no_place_for_what_may_be_sent_but_once(self):
        api = Stub(self, ok(WEBHOOK))
        client = api.client()
        client.webhooks.get('whk_1')
        client.webhooks.register('https://a', ['*'])
        self.assertEqual(len({r.connection for r in api.requests}), 2)


class Settings(unittest.TestCase):
    def test_base_url_with_a_path_and_account(self):
        api = Stub(self, ok({'items': []}))
        api.client(base_url=api.base_url + '/v1/', account='acme').event_types.list()
        self.assertEqual(api.requests[0].target, '/v1/event-types')
        self.assertEqual(api.requests[0].headers['X-VideoCloud-Account'], 'acme')

    def test_environment(self):
        api = Stub(self, ok({'items': []}))
        with mock.patch.dict(os.environ, {'VIDEOCLOUD_BASE_URL': api.base_url, 'VIDEOCLOUD_API_KEY': 'env-key'}):
            with VideoCloud() as client:
                client.event_types.list()
        self.assertEqual(api.requests[0].headers['Authorization'], 'Bearer env-key')

    def test_a_proxy_for_http_gets_the_whole_url(self):
        proxy = Stub(self, ok({'items': []}))
        address = proxy.base_url.replace('http://', 'http://user:pass@')
        with mock.patch.dict(os.environ, {'http_proxy': address}):
            with VideoCloud(api_key='k', base_url='http://api.example') as client:
                client.event_types.list()
        self.assertEqual(proxy.requests[0].target, 'http://api.example:80/event-types')
        self.assertEqual(proxy.requests[0].headers['Proxy-Authorization'], 'Basic dXNlcjpwYXNz')

    def test_a_proxy_for_https_tunnels_and_never_sees_the_key(self):
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)
        with mock.patch.dict(os.environ, {'https_proxy': f'http://127.0.0.1:{listener.getsockname()[1]}'}):
            client = VideoCloud(api_key='k', base_url='https://api.example', timeout=0.2, max_retries=0)
            with self.assertRaises(VideoCloudError):
                client.event_types.list()
        connection, _ = listener.accept()
        self.addCleanup(connection.close)
        said = connection.recv(4096)
        self.assertTrue(said.startswith(b'CONNECT api.example:443 '), said)
        self.assertNotIn(b'Bearer', said)


def methods(client):
    for owner in (name for name in dir(client) if not name.startswith('_')):
        for name in (name for name in dir(getattr(client, owner)) if not name.startswith('_')):
            if owner != 'close':
                yield owner, name, getattr(getattr(client, owner), name)


class Durations(unittest.TestCase):
    def test_a_timedelta_is_sent_as_it_is(self):
        api = Stub(self, ok(WEBHOOK))
        client = api.client()
        client.webhooks.update('whk_1', retry=[timedelta(), timedelta(milliseconds=1500), timedelta(days=2)], timeout=timedelta(microseconds=1), secret_overlap=timedelta(hours=1))
        self.assertEqual(api.requests[-1].body, {'retry': ['0s', '1.5s', '172800s'], 'timeout': '0.000001s', 'secretOverlap': '3600s'})


class RetryAfter(unittest.TestCase):
    def test_is_seconds_or_a_date_and_nothing_else(self):
        for value, seconds in {'0': 0, '2.5': 2.5, 'Thu, 01 Jan 1970 00:00:00 GMT': 0, '-1': None, 'soon': None, '1e3': None, '': None}.items():
            with self.subTest(value), self.assertRaises(VideoCloudError) as caught:
                Stub(self, refused(503, 'unavailable', Retry_After=value)).client(max_retries=0).webhooks.get('whk_1')
            self.assertEqual(caught.exception.retry_after, seconds, value)


class Refused(unittest.TestCase):
    def test_a_time_without_a_zone_is_refused_everywhere(self):
        api = Stub(self)
        client, naive = api.client(), datetime(2024, 3, 31, 12)
        self.assertEqual(
            {f'{owner}.{name}' for owner, name, _ in methods(client) if {'since', 'until', 'timestamp'} & set(inspect.signature(getattr(getattr(client, owner), name)).parameters)},
            {'webhooks.replay', 'webhooks.retry_failed', 'webhooks.deliveries', 'deliveries.list', 'deliveries.search', 'events.publish', 'events.list'},
            'those that take a time: each has its line below',
        )
        for call in (
            lambda: client.events.list(since=naive),
            lambda: client.events.list(until=naive),
            lambda: client.deliveries.search(since=naive),
            lambda: client.deliveries.search(until=naive),
            lambda: client.deliveries.list('whk_1', until=naive),
            lambda: client.webhooks.deliveries('whk_1', until=naive),
            lambda: client.webhooks.retry_failed('whk_1', until=naive),
            lambda: client.webhooks.replay('whk_1', since=naive),
            lambda: client.webhooks.replay('whk_1', since=NOON, until=naive),
            lambda: client.webhooks.retry_failed('whk_1', since=naive),
            lambda: client.webhooks.deliveries('whk_1', since=naive),
            lambda: client.deliveries.list('whk_1', since=naive),
            lambda: client.events.publish('video.deleted', {}, timestamp=naive),
            lambda: client.events.publish_batch([{'event': 'video.deleted', 'data': {}, 'timestamp': naive}]),
        ):
            with self.assertRaisesRegex(ValueError, r'datetime\.now\(timezone\.utc\)'):
                call()
        self.assertEqual(api.requests, [])

    def test_a_wrong_address_is_told_without_showing_it(self):
        for base_url in ('https://user:hunter2@a', 'https://a?key=hunter2', 'https://a/#hunter2', 'hunter2', 'https://hunter2:99999', 'https://a hunter2'):
            with self.subTest(base_url):
                with self.assertRaises(ValueError) as caught:
                    VideoCloud('k', base_url)
                self.assertIn('base_url', str(caught.exception))
                self.assertNotIn('hunter2', str(caught.exception))


class Changes(unittest.TestCase):
    def test_none_clears_and_what_is_not_given_stays(self):
        api = Stub(self, ok(WEBHOOK))
        client = api.client()
        client.webhooks.update('whk_1', description=None, headers=None, rate_limit=None, max_in_flight=None, retry=None, timeout=None, metadata=None)
        self.assertEqual(api.requests[-1].body, dict.fromkeys(('description', 'headers', 'rateLimit', 'maxInFlight', 'retry', 'timeout', 'metadata')))
        client.webhooks.update('whk_1', status='active')
        self.assertEqual(api.requests[-1].body, {'status': 'active'})

    def test_none_registers_as_if_it_were_not_given(self):
        api = Stub(self, ok(WEBHOOK))
        api.client().webhooks.register('https://a.example/', ['*'], None, description=None, retry=None)
        self.assertEqual(api.requests[-1].body, {'url': 'https://a.example/', 'events': ['*']})


class AnotherTransport(unittest.TestCase):
    def client(self, answer, **options):
        sent = []

        class Http:
            def request(self, method, url, headers, content):
                sent.append((method, url, headers['Authorization'], content))
                if isinstance(answer, Exception):
                    raise answer
                return answer

            def close(self):
                sent.append('closed')

        return VideoCloud('k', 'https://api.example/v1', http=Http(), **options), sent

    def test_it_gets_whole_requests(self):
        client, sent = self.client((200, {}, json.dumps({'success': True, 'data': WEBHOOK}).encode()))
        with client:
            client.webhooks.update('whk_1', status='active')
        self.assertEqual(sent, [('PUT', 'https://api.example/v1/webhooks/whk_1', 'Bearer k', b'{"status":"active"}'), 'closed'])

    def test_its_headers_may_have_any_case(self):
        client, _ = self.client((422, {'x-request-id': 'req_1', 'retry-after': '1'}, b'{"success":false,"error":{"code":"conflict"}}'))
        with self.assertRaises(VideoCloudError) as caught:
            client.webhooks.get('whk_1')
        self.assertEqual((caught.exception.code, caught.exception.request_id, caught.exception.retry_after), ('conflict', 'req_1', 1.0))

    def test_its_own_errors_are_told_as_the_client_s(self):
        class ReadTimeout(Exception):
            pass

        for error, code in ((ReadTimeout('slow'), 'timeout'), (RuntimeError('broken'), 'connection_error'), (ConnectionResetError(), 'connection_error')):
            client, _ = self.client(error, max_retries=0)
            with self.assertRaises(VideoCloudError) as caught:
                client.webhooks.get('whk_1')
            self.assertEqual(caught.exception.code, code)


if __name__ == '__main__':
    unittest.main()
