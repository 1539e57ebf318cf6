"""VideoCloud Webhooks: register webhooks, publish events, verify deliveries.

    from videocloud import VideoCloud

    client = VideoCloud(api_key='your_api_key')
    client.events.publish('video.published', {'videoId': 'vid_123456'})
"""

from ._asyncio import AsyncPage, AsyncVideoCloud
from ._client import VideoCloud
from ._connections import HTTP
from ._errors import VideoCloudError, WebhookVerificationError
from ._models import (
    Account,
    ApiKey,
    Attempt,
    Delivery,
    DeliveryCounts,
    DeliveryRef,
    DeliveryState,
    EventRecord,
    EventSummary,
    EventType,
    LastDelivery,
    NotifyEmail,
    PortalLink,
    FilterTest,
    PublishedEvent,
    Replay,
    ReplayState,
    Role,
    Stats,
    StatsBucket,
    StatsWindow,
    Webhook,
    WebhookStatus,
)
from ._pages import Page
from ._signature import verify, verify_signature
from ._version import __version__
from .payloads import WebhookEvent

__all__ = [
    'Account',
    'ApiKey',
    'AsyncPage',
    'AsyncVideoCloud',
    'Attempt',
    'Delivery',
    'DeliveryCounts',
    'DeliveryRef',
    'DeliveryState',
    'EventRecord',
    'EventSummary',
    'EventType',
    'HTTP',
    'LastDelivery',
    'NotifyEmail',
    'Page',
    'PortalLink',
    'FilterTest',
    'PublishedEvent',
    'Replay',
    'ReplayState',
    'Role',
    'Stats',
    'StatsBucket',
    'StatsWindow',
    'VideoCloud',
    'VideoCloudError',
    'Webhook',
    'WebhookEvent',
    'WebhookStatus',
    'WebhookVerificationError',
    'verify',
    'verify_signature',
]
