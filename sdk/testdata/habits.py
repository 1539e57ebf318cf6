"""What a Python programmer writes without thinking, against a running API: None clears, and a time without a zone is refused."""

import asyncio
from datetime import datetime, timedelta, timezone

from videocloud import AsyncVideoCloud, VideoCloud

GIVEN = {
    'description': 'Production', 'headers': {'X-Environment': 'production'}, 'rate_limit': 50, 'max_in_flight': 4,
    'retry': ['0s', '5m'], 'timeout': '5s', 'metadata': {'team': 'video'}, 'filter': 'data.size > 1', 'ordered': True, 'signing': 'ed25519',
    'auth': {'type': 'bearer', 'token': 'hunter2'},
}  # fmt: skip


def there(webhook):
    return {name for name in GIVEN if getattr(webhook, name)}


def refused(call):
    try:
        call()
    except ValueError as error:
        assert 'datetime.now(timezone.utc)' in str(error), error
        return
    raise AssertionError('a time without a zone was taken')


with VideoCloud() as client:
    webhook = client.webhooks.register('http://127.0.0.1:9/', ['*'], **GIVEN)
    assert there(webhook) == set(GIVEN), webhook
    assert there(client.webhooks.update(webhook.id)) == set(GIVEN)
    assert there(client.webhooks.update(webhook.id, **dict.fromkeys(GIVEN))) == set()
    account = client.accounts.update(name='Shop', notify_email=['a@example.com'], notify_url='http://127.0.0.1:9/', notify_secret='your_webhook_secret')
    assert account.name and account.notify_email and account.notify_url, account
    account = client.accounts.update(name=None, notify_email=None, notify_url=None)
    assert not (account.name or account.notify_email or account.notify_url), account
    refused(lambda: client.webhooks.replay(webhook.id, since=datetime.now()))
    refused(lambda: client.webhooks.replay(webhook.id, since=datetime.utcnow()))
    refused(lambda: client.events.publish('video.deleted', {}, timestamp=datetime(2024, 3, 31)))
    # Two spellings of one moment.
    east = timezone(timedelta(hours=9))
    ids = [client.events.publish('video.deleted', {}, timestamp=at) for at in (datetime(2024, 3, 31, 21, tzinfo=east), datetime(2024, 3, 31, 12, tzinfo=timezone.utc))]
    assert {event.timestamp for event in ids} == {ids[0].timestamp}, ids


async def main():
    async with AsyncVideoCloud() as client:
        assert there(await client.webhooks.update(webhook.id, **GIVEN)) == set(GIVEN)
        assert there(await client.webhooks.update(webhook.id, **dict.fromkeys(GIVEN))) == set()
        try:
            await client.webhooks.replay(webhook.id, since=datetime.now())
        except ValueError:
            pass
        else:
            raise AssertionError('a time without a zone was taken')
        await client.webhooks.delete(webhook.id)


asyncio.run(main())
