"""VideoCloud Webhooks: register webhooks, publish events, verify deliveries.

    from videocloud import VideoCloud

    client = VideoCloud(api_key='your_api_key')
    client.events.publish('video.published', {'videoId': 'vid_123456'})
"""

from ._client import VideoCloud
from ._errors import VideoCloudError, WebhookVerificationError
from ._models import (
    Account,
    ApiKey,
    Attempt,
    Delivery,
    DeliveryCounts,
    DeliveryRef,
    EventRecord,
    EventSummary,
    EventType,
    LastDelivery,
    NotifyEmail,
    PortalLink,
    PublishedEvent,
    Replay,
    Webhook,
)
from ._pages import Page
from ._signature import verify, verify_signature
from ._version import __version__
from .payloads import WebhookEvent

__all__ = [
    'Account',
    'ApiKey',
    'Attempt',
    'Delivery',
    'DeliveryCounts',
    'DeliveryRef',
    'EventRecord',
    'EventSummary',
    'EventType',
    'LastDelivery',
    'NotifyEmail',
    'Page',
    'PortalLink',
    'PublishedEvent',
    'Replay',
    'VideoCloud',
    'VideoCloudError',
    'Webhook',
    'WebhookEvent',
    'WebhookVerificationError',
    'verify',
    'verify_signature',
]
