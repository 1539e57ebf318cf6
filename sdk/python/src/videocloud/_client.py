from __future__ import annotations

import os
import ssl
import time
from datetime import datetime
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from ._accounts import Accounts
from ._connections import HTTP
from ._errors import VideoCloudError
from ._keys import UNSET, ApiKeys, PortalLinks, Unset, changed, remove
from ._models import Delivery, DeliveryState, EventRecord, EventSummary, EventType, PublishedEvent, Replay, build, format_time, items
from ._pages import Page, pages_of
from ._stats import StatsApi
from ._transport import Transport, Tries, path_with
from ._webhooks import Webhooks


class VideoCloud:
    """A client of the VideoCloud Webhooks API. It may be used from several threads at once.

    :param api_key: default: the environment's VIDEOCLOUD_API_KEY
    :param base_url: default: the environment's VIDEOCLOUD_BASE_URL, else https://api.videocloud.com
    :param account: the account, for keys that serve any
    :param timeout: bounds each wait for the network, in seconds
    :param max_retries: how often a request that may be repeated is tried again
    :param ssl_context: instead of the system's trust, as for a private authority
    :param http: sends the requests instead of this package's own connections, whose ``timeout`` and ``ssl_context`` it then leaves unused
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        account: Optional[str] = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        ssl_context: Optional[ssl.SSLContext] = None,
        http: Optional[HTTP] = None,
    ) -> None:
        self._transport = Transport(api_key, base_url, account, timeout, max_retries, ssl_context, http)
        self.webhooks = Webhooks(self._transport)
        self.events = Events(self._transport)
        self.deliveries = Deliveries(self._transport, self.webhooks)
        self.replays = Replays(self._transport)
        self.event_types = EventTypes(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.portal_links = PortalLinks(self._transport)
        self.accounts = Accounts(self._transport)
        self.stats = StatsApi(self._transport)

    def close(self) -> None:
        """Closes the connections that are kept open. The client may be used again."""
        self._transport.close()

    def __enter__(self) -> VideoCloud:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Events:
    """Publishing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def publish(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        id: Optional[str] = None,
        timestamp: Union[str, datetime, None] = None,
    ) -> PublishedEvent:
        """Publishes an event; it is stored once this returns. Retried safely: every event has an ID.

        :param id: yours, to publish the same event once whatever happens; made here otherwise
        :param timestamp: when it happened; now otherwise
        """
        body = _event(event, data, id, timestamp)
        return build(PublishedEvent, self._transport.send('POST', '/events', body=body, repeatable=True))

    def publish_batch(self, events: Iterable[Mapping[str, Any]]) -> List[Union[PublishedEvent, VideoCloudError]]:
        """Publishes up to 1,000 events at once: mappings of the names that :meth:`publish` takes.

        The answers are in the events' order, each an event or an error (not raised).
        """
        body = {'events': [_event(**e) for e in events]}
        tries = Tries()
        data = self._transport.send('POST', '/events/batch', body=body, repeatable=True, tries=tries)
        return [_result(raw, tries) for raw in items(data)]

    def list(
        self,
        *,
        event: Optional[str] = None,
        since: Union[str, datetime, None] = None,
        until: Union[str, datetime, None] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Page[EventSummary]:
        """Lists the account's events, newest first, without payloads. Iterating over the answer goes through all pages."""
        query = {'event': event, 'since': format_time(since), 'until': format_time(until), 'limit': limit}
        return pages_of(EventSummary, self._transport, '/events', query, cursor)

    def delete(self, id: str) -> None:
        """Deletes an event: its data and all kept answers to it are gone, and its waiting deliveries are cancelled."""
        remove(self._transport, path_with('/events', id))

    def get(self, id: str) -> EventRecord:
        """Gets a published event, with its deliveries."""
        return build(EventRecord, self._transport.send('GET', path_with('/events', id)))


class Deliveries:
    """Events on their way to webhooks."""

    def __init__(self, transport: Transport, webhooks: Webhooks) -> None:
        self._transport = transport
        self._webhooks = webhooks

    def get(self, id: str) -> Delivery:
        """Gets one delivery, with its attempts."""
        return build(Delivery, self._transport.send('GET', path_with('/deliveries', id)))

    def retry(self, id: str) -> Delivery:
        """Sends a delivery again, now and with fresh attempts. Not retried."""
        return build(Delivery, self._transport.send('POST', path_with('/deliveries', id, '/retry')))

    def list(
        self,
        webhook_id: str,
        *,
        state: Optional[DeliveryState] = None,
        event: Optional[str] = None,
        since: Union[str, datetime, None] = None,
        until: Union[str, datetime, None] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Page[Delivery]:
        """Lists a webhook's deliveries, newest first. Iterating over the answer goes through all pages."""
        return self._webhooks.deliveries(
            webhook_id, state=state, event=event, since=since, until=until, limit=limit, cursor=cursor
        )

    def search(
        self,
        *,
        state: Optional[DeliveryState] = None,
        event: Optional[str] = None,
        event_id: Optional[str] = None,
        webhook_id: Optional[str] = None,
        since: Union[str, datetime, None] = None,
        until: Union[str, datetime, None] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Page[Delivery]:
        """Lists the deliveries of the client's account, newest first. A page may be short while there is more."""
        query = {
            'state': state,
            'event': event,
            'eventId': event_id,
            'webhookId': webhook_id,
            'since': format_time(since),
            'until': format_time(until),
            'limit': limit,
        }
        return pages_of(Delivery, self._transport, '/deliveries', query, cursor)


class Replays:
    """Jobs that send deliveries again; ``webhooks.replay`` starts one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> Page[Replay]:
        """Lists the replays, newest first. Iterating over the answer goes through all pages."""
        return pages_of(Replay, self._transport, '/replays', {'limit': limit}, cursor)

    def cancel(self, id: str) -> Replay:
        """Ends a replay: what it has not sent yet stays as it is."""
        return build(Replay, self._transport.send('DELETE', path_with('/replays', id)))

    def get(self, id: str) -> Replay:
        """Gets a replay's progress."""
        return build(Replay, self._transport.send('GET', path_with('/replays', id)))


class EventTypes:
    """The event catalogue."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put(
        self,
        name: str,
        *,
        description: Union[str, None, Unset] = UNSET,
        group: Union[str, None, Unset] = UNSET,
        schema: Union[Mapping[str, Any], None, Unset] = UNSET,
        example: Union[Mapping[str, Any], None, Unset] = UNSET,
    ) -> EventType:
        """Makes an event type, or changes the fields given of one; None takes one away. By a key of every account.

        :param schema: JSON Schema (2020-12)
        """
        body = changed(description=description, group=group, schema=schema, example=example)
        return build(EventType, self._transport.send('PUT', path_with('/event-types', name), body=body))

    def delete(self, name: str) -> None:
        """Deletes an event type that was made by :meth:`put`."""
        remove(self._transport, path_with('/event-types', name))

    def list(self) -> List[EventType]:
        """Lists the event types that can be subscribed to."""
        return [build(EventType, raw) for raw in items(self._transport.send('GET', '/event-types'))]


def _event(
    event: str,
    data: Mapping[str, Any],
    id: Optional[str] = None,
    timestamp: Union[str, datetime, None] = None,
) -> Dict[str, Any]:
    body: Dict[str, Any] = {'event': event, 'data': data, 'id': id or _new_event_id()}
    if timestamp is not None:
        body['timestamp'] = format_time(timestamp)
    return body


def _result(raw: Mapping[str, Any], tries: Tries) -> Union[PublishedEvent, VideoCloudError]:
    error = raw.get('error')
    if error is None:
        return build(PublishedEvent, raw)
    return VideoCloudError(error.get('message', ''), code=error.get('code', ''), field=error.get('field'), request_id=tries.request_id)


def _new_event_id() -> str:
    """An ID in the API's own form: ``evt_`` and a UUIDv7 without dashes."""
    uuid = bytearray(int(time.time() * 1000).to_bytes(6, 'big') + os.urandom(10))
    uuid[6] = uuid[6] & 0x0F | 0x70
    uuid[8] = uuid[8] & 0x3F | 0x80
    return 'evt_' + uuid.hex()
