from __future__ import annotations

import asyncio
import inspect
import unittest
from datetime import datetime, timezone

from videocloud import AsyncVideoCloud, VideoCloud, VideoCloudError

from tests.stub import Stub, ok, refused, unavailable

WEBHOOK = {'id': 'whk_1', 'url': 'https://a.example/', 'events': ['*'], 'status': 'active', 'createdAt': '2024-03-31T12:00:00Z'}


class Asyncio(unittest.IsolatedAsyncioTestCase):
    def client(self, api: Stub, **options: object) -> AsyncVideoCloud:
        return AsyncVideoCloud('k', api.base_url, **options)  # type: ignore[arg-type]

    def test_it_has_every_name_that_the_other_client_has(self):
        def names(of: object) -> set:
            return {name for name in dir(of) if not name.startswith('_')}

        sync, other = VideoCloud('k'), AsyncVideoCloud('k')
        self.assertEqual(names(sync), names(other))
        for owner in names(sync) - {'close'}:
            self.assertEqual(names(getattr(sync, owner)), names(getattr(other, owner)), owner)
            for method in names(getattr(sync, owner)):
                here, there = (inspect.signature(getattr(getattr(c, owner), method)) for c in (sync, other))
                self.assertEqual(here.parameters, there.parameters, f'{owner}.{method}')

    async def test_a_call_is_answered_and_retried_like_the_other_client_s(self):
        api = Stub(self, unavailable(), ok(WEBHOOK))
        async with self.client(api) as client:
            self.assertEqual((await client.webhooks.get('whk_1')).id, 'whk_1')
        self.assertEqual(len(api.requests), 2)

    async def test_errors_are_the_same(self):
        async with self.client(Stub(self, refused(404, 'not_found', X_Request_Id='req_1'))) as client:
            with self.assertRaises(VideoCloudError) as caught:
                await client.webhooks.get('whk_1')
            self.assertEqual((caught.exception.code, caught.exception.request_id), ('not_found', 'req_1'))
            with self.assertRaises(ValueError):
                await client.webhooks.get('')

    async def test_a_list_goes_on_through_all_pages(self):
        api = Stub(self, ok({'items': [WEBHOOK, WEBHOOK], 'nextCursor': 'c1'}), ok({'items': [WEBHOOK]}))
        async with self.client(api) as client:
            page = await client.webhooks.list(limit=2)
            self.assertEqual((len(page.items), page.next_cursor), (2, 'c1'))
            self.assertEqual([w.id async for w in page], ['whk_1'] * 3)
        self.assertEqual(api.requests[1].target, '/webhooks?limit=2&cursor=c1')

    async def test_requests_are_under_way_together(self):
        both = asyncio.Event()
        loop = asyncio.get_running_loop()
        waiting = []

        class Together:
            def request(self, method, url, headers, content):
                waiting.append(url)
                if len(waiting) == 2:
                    loop.call_soon_threadsafe(both.set)
                # The first is answered only once the second is there.
                asyncio.run_coroutine_threadsafe(both.wait(), loop).result(120)
                return 200, {}, b'{"success":true,"data":{"items":[]}}'

            def close(self):
                pass

        async with AsyncVideoCloud('k', 'https://api.example', http=Together()) as client:
            await asyncio.gather(client.event_types.list(), client.event_types.list())
        self.assertEqual(waiting, ['https://api.example/event-types'] * 2)

    async def test_a_closed_client_may_be_used_again(self):
        api = Stub(self, ok(WEBHOOK), ok(WEBHOOK))
        client = self.client(api)
        await client.webhooks.get('whk_1')
        await client.close()
        await client.webhooks.get('whk_1')
        await client.close()

    async def test_a_time_without_a_zone_is_refused(self):
        async with self.client(Stub(self)) as client:
            with self.assertRaisesRegex(ValueError, 'time zone'):
                await client.webhooks.replay('whk_1', since=datetime.now())
            with self.assertRaisesRegex(VideoCloudError, 'connection_error'):
                await AsyncVideoCloud('k', 'http://127.0.0.1:1', max_retries=0).webhooks.replay('whk_1', since=datetime.now(timezone.utc))


if __name__ == '__main__':
    unittest.main()
