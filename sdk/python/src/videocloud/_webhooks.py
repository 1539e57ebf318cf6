from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Literal, Mapping, Optional, Sequence, Union

from ._keys import UNSET, Unset, duration, given, remove
from ._models import Delivery, DeliveryState, FilterTest, PublishedEvent, Replay, Stats, StatsWindow, Webhook, build, camel, format_time
from ._pages import Page, pages_of
from ._signature import Payload, verify, verify_signature
from ._stats import get_stats
from ._transport import Transport, path_with
from .payloads import WebhookEvent


class Webhooks:
    """Registered endpoints, and the verification of what they get."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(
        self,
        url: str,
        events: Sequence[str],
        secret: Optional[str] = None,
        *,
        description: Optional[str] = None,
        headers: Optional[Mapping[str, str]] = None,
        rate_limit: Optional[int] = None,
        max_in_flight: Optional[int] = None,
        filter: Optional[str] = None,
        retry: Optional[Sequence[Union[str, timedelta]]] = None,
        timeout: Union[str, timedelta, None] = None,
        ordered: Optional[bool] = None,
        signing: Optional[Literal['ed25519']] = None,
        auth: Optional[Mapping[str, str]] = None,
        metadata: Optional[Mapping[str, str]] = None,
        status: Optional[Literal['active', 'paused']] = None,
        idempotency_key: Optional[str] = None,
    ) -> Webhook:
        """Registers an endpoint.

        Retried only with an idempotency key, as a second try could register it twice, and a secret, as one that the API
        makes is shown in the first answer alone.

        :param events: event types, groups such as ``video.*``, or ``*``
        :param secret: 16 to 256 bytes; without it the API makes one and shows it once, as ``webhook.secret``
        :param headers: sent with every delivery, such as ``Authorization``
        :param rate_limit: attempts a second
        :param max_in_flight: attempts in flight
        :param filter: a CEL expression over ``event``, ``id``, ``timestamp`` and ``data``: only events for which it is true go here
        :param retry: its own retry table: 1 to 16 delays before attempts, such as ``['0s', '1m', '1h']``
        :param timeout: how long an attempt may take, ``1s`` to ``60s``
        :param ordered: one attempt at a time, and first attempts in the order of publishing
        :param signing: ``ed25519`` makes ``webhook-signature`` with a key pair of the webhook's own
        :param auth: what the endpoint asks of its callers, such as ``{'type': 'bearer', 'token': ...}``; the types are
            ``basic``, ``bearer``, ``oauth2`` and ``mtls``
        :param metadata: up to 16 strings of yours, kept and shown
        :param status: ``active`` or ``paused``
        :param idempotency_key: makes a repetition within 72 hours answer the first webhook, without its secret
        """
        body = given(**_body(locals()))
        repeatable = idempotency_key is not None and secret is not None
        return build(Webhook, self._transport.send('POST', '/webhooks', body=body, repeatable=repeatable, idempotency_key=idempotency_key))

    def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> Page[Webhook]:
        """Lists the webhooks, oldest first. Iterating over the answer goes through all pages."""
        return pages_of(Webhook, self._transport, '/webhooks', {'limit': limit}, cursor)

    def get(self, id: str) -> Webhook:
        """Gets one webhook."""
        return build(Webhook, self._transport.send('GET', path_with('/webhooks', id)))

    def update(
        self,
        id: str,
        *,
        url: Union[str, Unset] = UNSET,
        events: Union[Sequence[str], Unset] = UNSET,
        secret: Union[str, Unset] = UNSET,
        secret_overlap: Union[str, timedelta, Unset] = UNSET,
        rotate_key: bool = False,
        description: Union[str, None, Unset] = UNSET,
        headers: Union[Mapping[str, str], None, Unset] = UNSET,
        rate_limit: Union[int, None, Unset] = UNSET,
        max_in_flight: Union[int, None, Unset] = UNSET,
        filter: Union[str, None, Unset] = UNSET,
        retry: Union[Sequence[Union[str, timedelta]], None, Unset] = UNSET,
        timeout: Union[str, timedelta, None, Unset] = UNSET,
        ordered: Union[bool, None, Unset] = UNSET,
        signing: Union[Literal['ed25519'], None, Unset] = UNSET,
        auth: Union[Mapping[str, str], None, Unset] = UNSET,
        metadata: Union[Mapping[str, str], None, Unset] = UNSET,
        status: Union[Literal['active', 'paused'], Unset] = UNSET,
    ) -> Webhook:
        """Changes the fields given. None clears one; with ``retry`` and ``timeout`` the server's hold again.

        :param rotate_key: makes another key pair, with ``signing='ed25519'``
        :param secret_overlap: with a new secret, ``rotate_key`` or another ``signing``: how long what signed before still
            does too, in ``webhook-signature``
        :param status: ``active`` or ``paused``
        """
        body = _body(locals())
        if not isinstance(secret_overlap, Unset):
            body['secretOverlap'] = duration(secret_overlap)
        if rotate_key:
            body['rotateKey'] = True
        # Rotating a secret twice would take the new one for the old one, and another key would come of each time.
        repeatable = secret_overlap is UNSET and not rotate_key
        return build(Webhook, self._transport.send('PUT', path_with('/webhooks', id), body=body, repeatable=repeatable))

    def delete(self, id: str) -> None:
        """Deletes a webhook; its waiting deliveries are cancelled."""
        remove(self._transport, path_with('/webhooks', id))

    def test(self, id: str, event: Optional[str] = None) -> PublishedEvent:
        """Sends a ``webhook.test`` event, or the example of a type, to this webhook only."""
        body = None if event is None else {'event': event}
        return build(PublishedEvent, self._transport.send('POST', path_with('/webhooks', id, '/test'), body=body))

    def test_filter(self, filter: str, event: str, data: Mapping[str, Any]) -> FilterTest:
        """Says whether an event would pass a filter."""
        body = {'filter': filter, 'event': event, 'data': data}
        return build(FilterTest, self._transport.send('POST', '/webhooks/filter-test', body=body, repeatable=True))

    def retry_failed(
        self,
        id: str,
        *,
        event: Optional[str] = None,
        since: Union[str, datetime, None] = None,
        until: Union[str, datetime, None] = None,
    ) -> Replay:
        """Sends the failed deliveries again; ``replays.get`` tells how far it is. Not retried.

        :param event: only this type; all, if not given
        :param since: all that are kept, if not given
        :param until: now, if not given
        """
        body = given(state='failed', event=event, since=format_time(since), until=format_time(until))
        return build(Replay, self._transport.send('POST', path_with('/webhooks', id, '/retry'), body=body))

    def pause(self, id: str) -> Webhook:
        """Holds new events back until :meth:`resume`."""
        return self.update(id, status='paused')

    def resume(self, id: str) -> Webhook:
        """Ends a pause; what waited goes out. Also makes a failed or disabled webhook active again."""
        return self.update(id, status='active')

    def replay(
        self,
        id: str,
        *,
        since: Union[str, datetime],
        until: Union[str, datetime, None] = None,
        events: Optional[Sequence[str]] = None,
        state: Optional[Literal['failed', 'all']] = None,
        dry_run: bool = False,
    ) -> Replay:
        """Sends past deliveries again; ``client.replays.get`` tells how far it is. Only a dry run is retried.

        :param state: ``failed`` (the default) or ``all``
        """
        body: Dict[str, Any] = {'since': format_time(since)}
        if until is not None:
            body['until'] = format_time(until)
        if events is not None:
            body['events'] = _names(events)
        if state is not None:
            body['state'] = state
        if dry_run:
            body['dryRun'] = True
        path = path_with('/webhooks', id, '/replay')
        return build(Replay, self._transport.send('POST', path, body=body, repeatable=dry_run))

    def stats(self, id: str, *, window: Optional[StatsWindow] = None) -> Stats:
        """Gets a webhook's attempts by outcome over time.

        :param window: ``1h``, ``24h`` (unless given) or ``7d``
        """
        return get_stats(self._transport, path_with('/webhooks', id, '/stats'), window)

    def deliveries(
        self,
        id: str,
        *,
        state: Optional[DeliveryState] = None,
        event: Optional[str] = None,
        since: Union[str, datetime, None] = None,
        until: Union[str, datetime, None] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Page[Delivery]:
        """Lists a webhook's deliveries, newest first. Iterating over the answer goes through all pages."""
        query = {'state': state, 'event': event, 'since': format_time(since), 'until': format_time(until), 'limit': limit}
        return pages_of(Delivery, self._transport, path_with('/webhooks', id, '/deliveries'), query, cursor)

    @staticmethod
    def verify_signature(payload: Payload, signature: Optional[str], secret: Union[str, Sequence[str]]) -> bool:
        """See :func:`videocloud.verify_signature`."""
        return verify_signature(payload, signature, secret)

    @staticmethod
    def verify(
        payload: Payload,
        headers: Mapping[str, Any],
        secret: Union[str, Sequence[str]],
        *,
        tolerance_seconds: Optional[float] = 300,
        now: Optional[float] = None,
    ) -> WebhookEvent:
        """See :func:`videocloud.verify`."""
        return verify(payload, headers, secret, tolerance_seconds=tolerance_seconds, now=now)


#: What an owner sets of a webhook: what the object shows and a method takes.
_SETTINGS = [f.name for f in fields(Webhook) if f.name != 'id']


def _body(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    """The body of a change, of a method's own arguments: what is not given is left out, None clears."""
    body: Dict[str, Any] = {}
    for name in _SETTINGS:
        value = arguments.get(name, UNSET)
        if value is not UNSET:
            body[camel(name)] = value if value is None or name not in _CONVERT else _CONVERT[name](value)
    return body


def _delays(retry: Sequence[Union[str, timedelta]]) -> Any:
    if isinstance(retry, str):
        raise TypeError(f'retry: a list is needed, such as [{retry!r}]')
    return [duration(delay) for delay in retry] or None


def _names(events: Sequence[str]) -> Any:
    """A str is a sequence too: its letters are no event types."""
    if isinstance(events, str):
        raise TypeError(f'events: a list is needed, such as [{events!r}]')
    return [*events]


#: How a setting is written that is not written as it is.
_CONVERT: Dict[str, Callable[[Any], Any]] = {
    'events': _names,
    'headers': dict,
    'retry': _delays,
    'timeout': lambda timeout: duration(timeout) or None,
    'auth': lambda auth: dict(auth) or None,
    'metadata': dict,
}
