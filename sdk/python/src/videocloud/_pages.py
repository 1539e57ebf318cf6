from __future__ import annotations

from typing import Any, Callable, Generic, Iterator, List, Mapping, Optional, Tuple, Type, TypeVar

from ._models import build, items
from ._transport import Transport

T = TypeVar('T')

Load = Callable[[Optional[str]], Tuple[List[T], Optional[str]]]


class Page(Generic[T]):
    """One page of a list. Iterating goes on through all pages that follow::

        page = client.webhooks.list(limit=10)
        print(page.items, page.next_cursor)
        for webhook in client.webhooks.list():
            print(webhook.id)
    """

    def __init__(self, load: Load[T], cursor: Optional[str]) -> None:
        self._load = load
        #: The items of this page.
        self.items: List[T]
        #: Where the next page starts; None on the last one.
        self.next_cursor: Optional[str]
        self.items, self.next_cursor = load(cursor)

    def __iter__(self) -> Iterator[T]:
        items, cursor = self.items, self.next_cursor
        while True:
            yield from items
            if not cursor:
                return
            items, cursor = self._load(cursor)

    def next_page(self) -> Optional[Page[T]]:
        """Loads the page that follows; None after the last one."""
        return Page(self._load, self.next_cursor) if self.next_cursor else None

    def __repr__(self) -> str:
        return f'Page(items={self.items!r}, next_cursor={self.next_cursor!r})'


def pages_of(model: Type[T], transport: Transport, path: str, query: Mapping[str, Any], cursor: Optional[str]) -> Page[T]:
    """The page of a list that begins at cursor, and from there those that follow."""

    def load(cursor: Optional[str]) -> Tuple[List[T], Optional[str]]:
        data = transport.send('GET', path, query={**query, 'cursor': cursor})
        return [build(model, raw) for raw in items(data)], data.get('nextCursor')

    return Page(load, cursor)
