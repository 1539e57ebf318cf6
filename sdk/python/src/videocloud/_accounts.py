from __future__ import annotations

from typing import Optional, Sequence, Union

from ._keys import UNSET, Unset, changed, remove
from ._models import Account, NotifyEmail, build
from ._pages import Page, pages_of
from ._transport import Transport, path_with


class Accounts:
    """What owns webhooks and events: the client's own account, and for a key of every account all."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Account:
        """Gets the client's own account."""
        return build(Account, self._transport.send('GET', '/account'))

    def update(
        self,
        *,
        name: Union[str, None, Unset] = UNSET,
        notify_email: Union[Sequence[str], None, Unset] = UNSET,
        notify_url: Union[str, None, Unset] = UNSET,
        notify_secret: Union[str, Unset] = UNSET,
    ) -> Account:
        """Changes the fields given of the client's own account; None takes one away.

        Not retried where a secret may be made, which only one answer shows.

        :param notify_email: five at most; those that were confirmed stay so
        :param notify_secret: signs what goes to notify_url, 16 to 256 bytes; one is made where there is none
        """
        emails = list(notify_email) if not isinstance(notify_email, Unset) and notify_email is not None else notify_email
        body = changed(name=name, notifyEmail=emails, notifyUrl=notify_url, notifySecret=notify_secret)
        repeatable = notify_url in (UNSET, None) or notify_secret is not UNSET
        return build(Account, self._transport.send('PUT', '/account', body=body, repeatable=repeatable))

    def confirm(self, token: str) -> NotifyEmail:
        """Does what the link in a mail is for, by the token that it ends with. Not retried.

        The one in the first mail to an address confirms it, the one in each later mail takes it out. The answer says which.
        """
        return build(NotifyEmail, self._transport.send('POST', '/account/confirm', body={'token': token}))

    def delete(self, account: str) -> None:
        """Deletes an account with everything that it has: webhooks, events, keys and whatever else.

        Its name may be used afresh. Takes a key of every account.
        """
        remove(self._transport, path_with('/accounts', account))

    def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> Page[Account]:
        """Lists all accounts, by name. Iterating over the answer goes through all pages."""
        return pages_of(Account, self._transport, '/accounts', {'limit': limit}, cursor)
