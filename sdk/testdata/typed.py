# pyright: strict
"""Checked by pyright in strict mode, never run: what the Python SDK's types must and must not accept."""

from datetime import datetime, timezone
from typing import Optional

from videocloud import AsyncVideoCloud, Delivery, VideoCloud, VideoCloudError, Webhook, verify, verify_signature

client = VideoCloud(api_key='your_api_key')

webhook: Webhook = client.webhooks.update('whk_1', description=None, headers=None, retry=None, status='paused')
client.webhooks.update('whk_1', url=None)  # pyright: ignore[reportArgumentType]
client.webhooks.update('whk_1', status='failed')  # pyright: ignore[reportArgumentType]
client.webhooks.deliveries('whk_1', state='succeded')  # pyright: ignore[reportArgumentType]
client.api_keys.create('admin')  # pyright: ignore[reportArgumentType]
client.webhooks.replay('whk_1', since=datetime.now(timezone.utc), state='all')


def failed(delivery: Delivery) -> Optional[str]:
    if delivery.state == 'failed':
        return delivery.reason
    return None


for one in client.webhooks.deliveries('whk_1', state='failed'):
    failed(one)

for result in client.events.publish_batch([{'event': 'video.published', 'data': {}}]):
    print(result.code if isinstance(result, VideoCloudError) else result.id)


async def concurrently() -> Webhook:
    async with AsyncVideoCloud(api_key='your_api_key') as c:
        async for delivery in await c.webhooks.deliveries('whk_1', state='failed'):
            failed(delivery)
        await c.webhooks.deliveries('whk_1', state='gone')  # pyright: ignore[reportArgumentType]
        await c.events.publish('video.published', {'videoId': 'vid_1'})
        return await c.webhooks.get('whk_1')


def receive(body: bytes, headers: 'dict[str, str]') -> str:
    secrets = ['new_webhook_secret', 'your_webhook_secret']
    if not verify_signature(body, headers.get('X-VideoCloud-Signature'), secrets):
        return ''
    return verify(body, headers, secrets, tolerance_seconds=60)['event']
