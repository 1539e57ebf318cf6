from __future__ import annotations

import enum
from datetime import timedelta
from typing import Any, Dict, Literal, Optional, Union

from ._errors import VideoCloudError
from ._models import ApiKey, PortalLink, build
from ._pages import Page, pages_of
from ._transport import Transport, Tries, path_with


class ApiKeys:
    """API keys that are made at run time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        role: Literal['publish', 'read', 'manage', 'all'],
        *,
        account: Optional[str] = None,
        description: Optional[str] = None,
        expires_in: Union[str, timedelta, None] = None,
    ) -> ApiKey:
        """Makes a key, which only this answer shows. Not retried: a second try could make another.

        :param role: ``publish``, ``read``, ``manage`` or ``all``
        :param account: that of the key that makes it, if not given
        :param expires_in: such as ``90d``; until it is deleted, if not given
        """
        body = given(role=role, account=account, description=description, expiresIn=duration(expires_in))
        return build(ApiKey, self._transport.send('POST', '/api-keys', body=body))

    def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> Page[ApiKey]:
        """Lists the keys that were made, oldest first. Iterating over the answer goes through all pages."""
        return pages_of(ApiKey, self._transport, '/api-keys', {'limit': limit}, cursor)

    def delete(self, id: str) -> None:
        """Ends a key, and all that it made. It is refused everywhere within a second."""
        remove(self._transport, path_with('/api-keys', id))


class PortalLinks:
    """Links that lead customers to the portal."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        account: Optional[str] = None,
        webhook_id: Optional[str] = None,
        expires_in: Union[str, timedelta, None] = None,
    ) -> PortalLink:
        """Makes a link. Not retried: a second try could make another.

        :param account: that of the key that makes it, if not given
        :param webhook_id: the only webhook to show; all, if not given
        :param expires_in: such as ``1h``, at most 7 days; 24 hours, if not given
        """
        body = given(account=account, webhookId=webhook_id, expiresIn=duration(expires_in))
        return build(PortalLink, self._transport.send('POST', '/portal-links', body=body))


class Unset(enum.Enum):
    """What a field is that is not given, where None clears it."""

    UNSET = 'unset'


UNSET = Unset.UNSET


def given(**fields: Any) -> Dict[str, Any]:
    """The fields that are given: of those that make something, None is as good as nothing."""
    return {name: value for name, value in fields.items() if value is not None}


def changed(**fields: Any) -> Dict[str, Any]:
    """The fields that are given, of a change: None clears."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def duration(value: Union[str, timedelta, None]) -> Optional[str]:
    """Writes a duration as the API reads it."""
    if isinstance(value, timedelta):
        return f'{value // timedelta(microseconds=1) / 1e6:f}'.rstrip('0').rstrip('.') + 's'
    return value


def remove(transport: Transport, path: str) -> None:
    """Deletes something; that it is gone already is no error where an earlier try may have done it."""
    tries = Tries()
    try:
        transport.send('DELETE', path, tries=tries)
    except VideoCloudError as error:
        # An earlier try deleted it, and only its answer was lost.
        if error.code != 'not_found' or tries.count == 1:
            raise
