"""The client for asyncio.

Requests run in threads of the client's own: so it needs the standard library only, and what is sent, retried and answered is told in
one place, by the methods of :class:`VideoCloud`.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, AsyncIterator, Awaitable, Callable, Generic, List, Optional, TypeVar

from ._accounts import Accounts
from ._client import Deliveries, Events, EventTypes, Replays, VideoCloud
from ._connections import HTTP
from ._keys import ApiKeys, PortalLinks
from ._pages import Page
from ._signature import verify, verify_signature
from ._stats import StatsApi
from ._webhooks import Webhooks

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    P = ParamSpec('P')

T = TypeVar('T')


class AsyncPage(Generic[T]):
    """One page of a list. Iterating goes on through all pages that follow::

        async for webhook in await client.webhooks.list():
            print(webhook.id)
    """

    def __init__(self, page: Page[T], threads: Threads) -> None:
        self._page = page
        self._threads = threads
        #: The items of this page.
        self.items: List[T] = page.items
        #: Where the next page starts; None on the last one.
        self.next_cursor: Optional[str] = page.next_cursor

    async def next_page(self) -> Optional[AsyncPage[T]]:
        """Loads the page that follows; None after the last one."""
        page = await self._threads.call(self._page.next_page)()
        return None if page is None else AsyncPage(page, self._threads)

    async def __aiter__(self) -> AsyncIterator[T]:
        page: Optional[AsyncPage[T]] = self
        while page is not None:
            for item in page.items:
                yield item
            page = await page.next_page()

    def __repr__(self) -> str:
        return f'AsyncPage(items={self.items!r}, next_cursor={self.next_cursor!r})'


class Threads:
    """Where the requests of one client run."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(most, thread_name_prefix='videocloud')

    def call(self, method: Callable[P, T]) -> Callable[P, Awaitable[T]]:
        """The method, to be awaited."""

        @functools.wraps(method)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(method, *args, **kwargs))

        return run

    def list(self, method: Callable[P, Page[T]]) -> Callable[P, Awaitable[AsyncPage[T]]]:
        """The method, to be awaited, with pages to iterate over by ``async for``."""
        load = self.call(method)

        @functools.wraps(method)
        async def run(*args: P.args, **kwargs: P.kwargs) -> AsyncPage[T]:
            return AsyncPage(await load(*args, **kwargs), self)

        return run

    def close(self) -> None:
        """Waits for what is under way."""
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(self._most, thread_name_prefix='videocloud')


class AsyncVideoCloud:
    """:class:`VideoCloud` for asyncio: the same names, each to be awaited::

        async with AsyncVideoCloud(api_key='your_api_key') as client:
            await client.events.publish('video.published', {'videoId': 'vid_123456'})

    A call that is cancelled while its request is on the way is not taken back: the request may still be answered.

    :param max_concurrency: how many requests are under way at once; others wait
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
        max_concurrency: int = 10,
    ) -> None:
        client = VideoCloud(
            api_key, base_url, account=account, timeout=timeout, max_retries=max_retries, ssl_context=ssl_context, http=http
        )
        threads = Threads(max_concurrency)
        self._client = client
        self._threads = threads
        self.webhooks = AsyncWebhooks(client.webhooks, threads)
        self.events = AsyncEvents(client.events, threads)
        self.deliveries = AsyncDeliveries(client.deliveries, threads)
        self.replays = AsyncReplays(client.replays, threads)
        self.event_types = AsyncEventTypes(client.event_types, threads)
        self.api_keys = AsyncApiKeys(client.api_keys, threads)
        self.portal_links = AsyncPortalLinks(client.portal_links, threads)
        self.accounts = AsyncAccounts(client.accounts, threads)
        self.stats = AsyncStats(client.stats, threads)

    async def close(self) -> None:
        """Waits for what is under way, and closes the connections that are kept open."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.close)
        self._client.close()

    async def __aenter__(self) -> AsyncVideoCloud:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncWebhooks:
    verify_signature = staticmethod(verify_signature)
    verify = staticmethod(verify)

    def __init__(self, sync: Webhooks, threads: Threads) -> None:
        self.register = threads.call(sync.register)
        self.list = threads.list(sync.list)
        self.get = threads.call(sync.get)
        self.update = threads.call(sync.update)
        self.delete = threads.call(sync.delete)
        self.test = threads.call(sync.test)
        self.test_filter = threads.call(sync.test_filter)
        self.retry_failed = threads.call(sync.retry_failed)
        self.pause = threads.call(sync.pause)
        self.resume = threads.call(sync.resume)
        self.replay = threads.call(sync.replay)
        self.deliveries = threads.list(sync.deliveries)
        self.stats = threads.call(sync.stats)


class AsyncEvents:
    def __init__(self, sync: Events, threads: Threads) -> None:
        self.publish = threads.call(sync.publish)
        self.publish_batch = threads.call(sync.publish_batch)
        self.list = threads.list(sync.list)
        self.get = threads.call(sync.get)
        self.delete = threads.call(sync.delete)


class AsyncDeliveries:
    def __init__(self, sync: Deliveries, threads: Threads) -> None:
        self.get = threads.call(sync.get)
        self.retry = threads.call(sync.retry)
        self.list = threads.list(sync.list)
        self.search = threads.list(sync.search)


class AsyncReplays:
    def __init__(self, sync: Replays, threads: Threads) -> None:
        self.list = threads.list(sync.list)
        self.cancel = threads.call(sync.cancel)
        self.get = threads.call(sync.get)


class AsyncEventTypes:
    def __init__(self, sync: EventTypes, threads: Threads) -> None:
        self.list = threads.call(sync.list)
        self.put = threads.call(sync.put)
        self.delete = threads.call(sync.delete)


class AsyncApiKeys:
    def __init__(self, sync: ApiKeys, threads: Threads) -> None:
        self.create = threads.call(sync.create)
        self.list = threads.list(sync.list)
        self.delete = threads.call(sync.delete)


class AsyncPortalLinks:
    def __init__(self, sync: PortalLinks, threads: Threads) -> None:
        self.create = threads.call(sync.create)


class AsyncAccounts:
    def __init__(self, sync: Accounts, threads: Threads) -> None:
        self.get = threads.call(sync.get)
        self.update = threads.call(sync.update)
        self.confirm = threads.call(sync.confirm)
        self.delete = threads.call(sync.delete)
        self.list = threads.list(sync.list)


class AsyncStats:
    def __init__(self, sync: StatsApi, threads: Threads) -> None:
        self.get = threads.call(sync.get)
