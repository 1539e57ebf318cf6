"""What the API answers, as objects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, Dict, List, Literal, Mapping, Optional, Type, TypeVar, cast

from ._errors import VideoCloudError

T = TypeVar('T')

#: Only its owner ends paused and disabled.
WebhookStatus = Literal['active', 'failed', 'paused', 'disabled']
DeliveryState = Literal['pending', 'retrying', 'succeeded', 'failed', 'cancelled']
ReplayState = Literal['running', 'done', 'cancelled', 'dry_run']
#: A stretch of time up to now.
StatsWindow = Literal['1h', '24h', '7d']
#: What a key may do. ``portal`` is that of portal links only.
Role = Literal['publish', 'read', 'manage', 'portal', 'all']


def build(model: Type[T], raw: Mapping[str, Any]) -> T:
    """Makes an object of a JSON one. Members that this version doesn't know are left out."""
    values = {}
    try:
        for f in fields(model):  # type: ignore[arg-type]
            value = raw.get(camel(f.name))
            if value is not None:
                convert = f.metadata.get('convert')
                values[f.name] = convert(value) if convert else value
        return model(**values)
    except (AttributeError, TypeError, ValueError) as error:
        message = f'the answer is no {model.__name__}: {error}'
        raise VideoCloudError(message, code='unexpected_response', status=200) from error


def items(raw: Any) -> List[Any]:
    """The items of a list's answer."""
    found = cast(Dict[str, Any], raw).get('items') if isinstance(raw, dict) else None
    if not isinstance(found, list):
        raise VideoCloudError('the answer is no list', code='unexpected_response', status=200)
    return cast(List[Any], found)


def camel(name: str) -> str:
    """created_at becomes createdAt."""
    return re.sub(r'_([a-z])', lambda m: m.group(1).upper(), name)


def parse_time(text: str) -> datetime:
    """Reads RFC 3339. Python keeps microseconds, so digits beyond them are cut off."""
    match = re.fullmatch(r'(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)', text)
    if match is None:
        raise ValueError(f'not a time: {text!r}')
    day, clock, fraction, zone = match.groups()
    micro = (fraction or '').ljust(6, '0')[:6]
    return datetime.fromisoformat(f'{day}T{clock}.{micro}{"+00:00" if zone in "Zz" else zone}')


def format_time(value: Any) -> Any:
    """Writes RFC 3339, in UTC; text stays as it is. A datetime without a zone could mean any of them, so it is refused."""
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise ValueError(
            'a datetime without a time zone: use datetime.now(timezone.utc), or .astimezone() on one that is in local time'
        )
    return value.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + 'Z'


def _time(**options: Any) -> Any:
    return field(metadata={'convert': parse_time}, **options)


def _object(model: str, **options: Any) -> Any:
    def convert(raw: Any) -> Any:
        return build(globals()[model], raw)

    return field(metadata={'convert': convert}, **options)


def _list(model: str) -> Any:
    def convert(raw: List[Any]) -> List[Any]:
        return [build(globals()[model], r) for r in raw]

    return field(metadata={'convert': convert}, default_factory=lambda: cast(List[Any], []))


@dataclass(frozen=True)
class LastDelivery:
    """The latest attempt to a webhook."""

    success: bool
    timestamp: datetime = _time()


@dataclass(frozen=True)
class Webhook:
    """A registered endpoint."""

    id: str
    url: str
    events: List[str]
    status: WebhookStatus
    created_at: datetime = _time()
    last_delivery: Optional[LastDelivery] = _object('LastDelivery', default=None)
    #: No attempt starts before, as the endpoint asked with Retry-After.
    held_until: Optional[datetime] = _time(default=None)
    description: Optional[str] = None
    #: The names of the custom headers; their values are never shown.
    headers: Optional[List[str]] = None
    #: Attempts a second.
    rate_limit: Optional[int] = None
    #: Attempts in flight.
    max_in_flight: Optional[int] = None
    #: A CEL expression: only events for which it is true go here.
    filter: Optional[str] = None
    #: Events that the filter failed on, since it was set. They were delivered.
    filter_errors: Optional[int] = None
    #: Its own retry table, such as ``['0s', '1m', '1h']``.
    retry: Optional[List[str]] = None
    #: How long an attempt of its own may take, such as ``30s``.
    timeout: Optional[str] = None
    #: One attempt at a time, and first attempts in the order of publishing.
    ordered: Optional[bool] = None
    #: ``ed25519``: ``webhook-signature`` is made with a key pair of this webhook's own.
    signing: Optional[str] = None
    #: ``whpk_…``, with ``signing='ed25519'``: what verifies ``webhook-signature``.
    public_key: Optional[str] = None
    #: What the endpoint asks of its callers: ``type``, and what is no secret, by the API's names.
    auth: Optional[Dict[str, str]] = None
    #: Strings of yours.
    metadata: Optional[Dict[str, str]] = None
    #: Only after a registration, and only where the API made it. Keep it: it is never shown again.
    secret: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class FilterTest:
    """Whether an event would go to a webhook with a filter."""

    #: Also where the filter fails on the event.
    matches: bool
    #: Why it fails, where it does.
    error: Optional[str] = None


@dataclass(frozen=True)
class DeliveryRef:
    """Names one delivery of an event."""

    id: str
    webhook_id: str


@dataclass(frozen=True)
class PublishedEvent:
    """The answer to a publish: the event is stored."""

    id: str
    event: str
    timestamp: datetime = _time()
    deliveries: List[DeliveryRef] = _list('DeliveryRef')
    #: The API knew this ID: nothing was published again. Also where the SDK's own retry met its first try.
    duplicate: bool = False


@dataclass(frozen=True)
class Attempt:
    """One HTTP request of a delivery."""

    number: int
    at: datetime = _time()
    duration_ms: int = 0
    status_code: Optional[int] = None
    error: Optional[str] = None
    #: At most 1 KiB of it.
    response_body: Optional[str] = None


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    event_id: str
    event: str
    webhook_id: str
    state: DeliveryState
    created_at: datetime = _time()
    #: Why it failed without using up its attempts: backlog, disabled, expired, …
    reason: Optional[str] = None
    next_attempt_at: Optional[datetime] = _time(default=None)
    attempts: List[Attempt] = _list('Attempt')
    #: The attempts are missing: of an event with many webhooks. The delivery itself has them.
    attempts_left_out: bool = False


@dataclass(frozen=True)
class EventRecord:
    """A published event and how its deliveries stand."""

    id: str
    event: str
    timestamp: datetime = _time()
    #: None once it has expired.
    data: Optional[Dict[str, Any]] = None
    deliveries: List[Delivery] = _list('Delivery')


@dataclass(frozen=True)
class DeliveryCounts:
    """How many deliveries of an event are in which state."""

    pending: int = 0
    retrying: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True)
class EventSummary:
    """An event in a list: without its payload, and how many of its deliveries are in which state."""

    id: str
    event: str
    deliveries: DeliveryCounts = _object('DeliveryCounts')
    timestamp: datetime = _time()
    created_at: datetime = _time()


@dataclass(frozen=True)
class Replay:
    """A durable job that sends deliveries again."""

    webhook_id: str
    state: ReplayState
    matched: int
    #: Those whose payload has expired.
    unavailable: int = 0
    #: Those queued again so far.
    sent: int = 0
    #: How many could not be queued when their turn came, by reason: disabled, unavailable, underWay.
    not_sent: Optional[Dict[str, int]] = None
    created_at: Optional[datetime] = _time(default=None)
    #: None after a dry run.
    id: Optional[str] = None


@dataclass(frozen=True)
class EventType:
    """One entry of the event catalogue."""

    name: str
    description: str = ''
    group: str = ''
    #: JSON Schema that data of it must fit.
    schema: Optional[Dict[str, Any]] = None
    #: What a test sends.
    example: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class ApiKey:
    """A key that was made."""

    id: str
    account: str
    role: Role
    created_at: datetime = _time()
    #: The only webhook that it is for: of a portal link.
    webhook_id: Optional[str] = None
    description: Optional[str] = None
    #: None where it works until it is deleted.
    expires_at: Optional[datetime] = _time(default=None)
    #: To the hour.
    last_used_at: Optional[datetime] = _time(default=None)
    #: Only in the answer that makes it. Keep it: it is never shown again.
    key: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class PortalLink:
    """A link to the portal. Who has it can use it."""

    #: Of the key in it.
    id: str
    url: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime = _time()


@dataclass(frozen=True)
class StatsBucket:
    """What was attempted in one part of a window."""

    #: When it begins.
    at: datetime = _time()
    succeeded: int = 0
    failed: int = 0
    #: Half of the attempts ended within so many milliseconds; None where there were none.
    p50_ms: Optional[int] = None
    #: 95 in 100 of the attempts ended within so many milliseconds; None where there were none.
    p95_ms: Optional[int] = None


@dataclass(frozen=True)
class Stats:
    """Attempts by outcome over time, and what waits."""

    window: StatsWindow
    bucket_seconds: int
    #: Attempts in all buckets: ``succeeded`` and ``failed``.
    totals: Dict[str, int]
    waiting: int
    #: For how long the oldest delivery has been due that could be attempted now.
    oldest_due_seconds: float
    #: Oldest first, the empty ones too; the last one is under way.
    buckets: List[StatsBucket] = _list('StatsBucket')
    #: Of one webhook: events that its filter failed on, since it was set. They were delivered.
    filter_errors: Optional[int] = None


@dataclass(frozen=True)
class NotifyEmail:
    """An address of an account's owner. It gets mail only once it was confirmed."""

    address: str
    confirmed: bool


@dataclass(frozen=True)
class Account:
    """What owns webhooks and events."""

    account: str
    created_at: datetime = _time()
    name: Optional[str] = None
    #: Where its owner is told of failed webhooks.
    notify_email: List[NotifyEmail] = _list('NotifyEmail')
    #: The same, by signed requests.
    notify_url: Optional[str] = None
    #: Only in the answer that makes it. Keep it: it is never shown again.
    notify_secret: Optional[str] = field(default=None, repr=False)
