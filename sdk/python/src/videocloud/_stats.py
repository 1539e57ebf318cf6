from __future__ import annotations

from typing import Optional

from ._models import Stats, StatsWindow, build
from ._transport import Transport


class StatsApi:
    """Attempts over time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, *, window: Optional[StatsWindow] = None) -> Stats:
        """Gets the figures of the client's account; with a key of every account and no account named, of all.

        :param window: ``1h``, ``24h`` (unless given) or ``7d``
        """
        return get_stats(self._transport, '/stats', window)


def get_stats(transport: Transport, path: str, window: Optional[StatsWindow]) -> Stats:
    return build(Stats, transport.send('GET', path, query={'window': window}))
