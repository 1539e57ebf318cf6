"""Against a running API, which must be allowed to deliver to loopback: VIDEOCLOUD_BASE_URL, and VIDEOCLOUD_API_KEY."""

import json
import os
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from videocloud import VideoCloud, VideoCloudError, verify

BASE_URL = os.environ.get('VIDEOCLOUD_BASE_URL')
API_KEY = os.environ.get('VIDEOCLOUD_API_KEY', 'videocloud-demo-key')
SECRET = 'your_webhook_secret'
UPLOADED = {
    'videoId': 'vid_123456', 'title': 'My Video', 'size': 10485760, 'duration': 120,
    'format': 'mp4', 'userId': 'usr_123456', 'status': 'processing',
}


@unittest.skipUnless(BASE_URL, 'VIDEOCLOUD_BASE_URL is not set')
class RunningAPI(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.received = received = []

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                received.append((self.path, self.headers, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
        threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.url = f'http://127.0.0.1:{server.server_address[1]}/webhooks'
        cls.client = VideoCloud(api_key=API_KEY, base_url=BASE_URL)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.webhook = self.client.webhooks.register(url=self.url, events=['video.uploaded', 'video.processed'], secret=SECRET)
        self.addCleanup(self.client.webhooks.delete, self.webhook.id)

    def until(self, ask):
        """Asks until the answer is there."""
        for _ in range(6000):
            answer = ask()
            if answer:
                return answer
            time.sleep(0.02)
        return self.fail('it never came')

    def arrival(self, event_id, path='/webhooks', number=1):
        def ask():
            found = [(h, b) for p, h, b in self.received if p == path and h['webhook-id'] == event_id]
            return found[number - 1] if len(found) >= number else None

        return self.until(ask)

    def ours(self, published):
        return next(d.id for d in published.deliveries if d.webhook_id == self.webhook.id)

    def ended(self, published):
        def ask():
            delivery = self.client.deliveries.get(self.ours(published))
            return None if delivery.state in ('pending', 'retrying') else delivery

        return self.until(ask)

    def test_the_webhook_is_the_guides(self):
        w = self.webhook
        self.assertRegex(w.id, '^whk_')
        self.assertEqual((w.url, w.events, w.status, w.secret), (self.url, ['video.uploaded', 'video.processed'], 'active', None))
        self.assertLess(abs(datetime.now(timezone.utc) - w.created_at), timedelta(minutes=10))
        self.assertEqual(self.client.webhooks.get(w.id).url, self.url)
        self.assertIn(w.id, [other.id for other in self.client.webhooks.list(limit=1)])
        self.assertEqual(len(self.client.webhooks.list(limit=1).items), 1)

    def test_publish_receive_verify_look(self):
        published = self.client.events.publish('video.uploaded', UPLOADED)
        self.assertFalse(published.duplicate)
        headers, body = self.arrival(published.id)
        signature = headers['X-VideoCloud-Signature']
        self.assertTrue(self.client.webhooks.verify_signature(body, signature, SECRET))
        self.assertFalse(self.client.webhooks.verify_signature(body, signature, 'another_webhook_secret'))
        event = verify(body, headers, SECRET)
        self.assertEqual((event['id'], event['event'], event['data']), (published.id, 'video.uploaded', UPLOADED))
        self.assertEqual(list(json.loads(body)), ['event', 'timestamp', 'data'])

        delivery = self.ended(published)
        self.assertEqual((delivery.state, delivery.attempts[0].status_code), ('succeeded', 200))
        record = self.client.events.get(published.id)
        self.assertEqual(record.data, UPLOADED)
        self.assertIn(delivery.id, [d.id for d in record.deliveries])
        self.assertIn(delivery.id, [d.id for d in self.client.webhooks.deliveries(self.webhook.id, state='succeeded')])
        self.assertTrue(self.client.webhooks.get(self.webhook.id).last_delivery.success)

        self.client.deliveries.retry(delivery.id)
        self.arrival(published.id, number=2)

    def test_the_same_id_again(self):
        id = f'py_{time.time_ns()}'
        self.assertFalse(self.client.events.publish('video.uploaded', UPLOADED, id=id).duplicate)
        self.assertTrue(self.client.events.publish('video.uploaded', UPLOADED, id=id).duplicate)
        with self.assertRaises(VideoCloudError) as caught:
            self.client.events.publish('video.uploaded', {}, id=id)
        self.assertEqual((caught.exception.code, caught.exception.status), ('conflict', 409))

    def test_a_batch(self):
        good, bad = self.client.events.publish_batch([{'event': 'video.uploaded', 'data': UPLOADED}, {'event': 'video.burned', 'data': {}}])
        self.arrival(good.id)
        self.assertEqual(bad.code, 'unknown_event_type')

    def test_a_test_event(self):
        published = self.client.webhooks.test(self.webhook.id)
        headers, body = self.arrival(published.id)
        self.assertEqual(verify(body, headers, SECRET)['event'], 'webhook.test')

    def test_pause_and_resume(self):
        self.assertEqual(self.client.webhooks.pause(self.webhook.id).status, 'paused')
        published = self.client.events.publish('video.uploaded', UPLOADED)
        self.assertEqual(self.client.deliveries.get(self.ours(published)).state, 'pending')
        self.assertEqual(self.client.webhooks.resume(self.webhook.id).status, 'active')
        self.arrival(published.id)

    def test_a_new_secret_signs_the_next_event(self):
        self.client.webhooks.update(self.webhook.id, secret='new_webhook_secret', secret_overlap=timedelta(hours=1))
        published = self.client.events.publish('video.uploaded', UPLOADED)
        headers, body = self.arrival(published.id)
        self.assertTrue(self.client.webhooks.verify_signature(body, headers['X-VideoCloud-Signature'], 'new_webhook_secret'))
        verify(body, headers, 'new_webhook_secret')
        verify(body, headers, SECRET)  # still, for an hour

    def test_replay(self):
        self.ended(self.client.events.publish('video.uploaded', UPLOADED))
        since = datetime.now(timezone.utc) - timedelta(hours=1)
        counted = self.client.webhooks.replay(self.webhook.id, since=since, state='all', dry_run=True)
        self.assertEqual((counted.id, counted.matched), (None, 1))
        started = self.client.webhooks.replay(self.webhook.id, since=since, state='all', events=['video.uploaded'])

        def done():
            replay = self.client.replays.get(started.id)
            return replay if replay.state == 'done' else None

        self.assertEqual(self.until(done).sent, 1)

    def test_a_secret_that_the_api_makes(self):
        made = self.client.webhooks.register(url=self.url + '/made', events=['user.*'])
        self.addCleanup(self.client.webhooks.delete, made.id)
        self.assertRegex(made.secret, '^whsec_')
        published = self.client.events.publish('user.deleted', {'userId': 'usr_1'})
        headers, body = self.arrival(published.id, path='/webhooks/made')
        self.assertTrue(self.client.webhooks.verify_signature(body, headers['X-VideoCloud-Signature'], made.secret))
        self.assertEqual(verify(body, headers, made.secret)['id'], published.id)

    def test_the_catalogue_and_refusals(self):
        self.assertIn(('comment.created', 'comment'), [(t.name, t.group) for t in self.client.event_types.list()])
        with self.assertRaises(VideoCloudError) as caught:
            self.client.webhooks.register(url='not a URL', events=['video.*'])
        self.assertEqual((caught.exception.status, caught.exception.field), (422, 'url'))
        other = self.client.webhooks.register(url=self.url, events=['user.*'])
        self.client.webhooks.delete(other.id)
        with self.assertRaises(VideoCloudError) as caught:
            self.client.webhooks.get(other.id)
        self.assertEqual(caught.exception.code, 'not_found')
        with VideoCloud(api_key='no-such-key', base_url=BASE_URL) as stranger, self.assertRaises(VideoCloudError) as caught:
            stranger.event_types.list()
        self.assertEqual((caught.exception.code, caught.exception.status), ('unauthorized', 401))


if __name__ == '__main__':
    unittest.main()
