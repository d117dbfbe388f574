"""Batches across requests: texts wait a moment, and one thread encodes what has gathered."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Protocol

from features.errors import ManyheadsError
from features.vectors.sizes import expected_tokens
from pipeline.prediction.explain import NOTHING, Explain
from pipeline.serving.metrics import Metrics
from pipeline.serving.model import TextAnswer


class QueueFullError(Exception):
    """More texts wait than may."""


class Answering(Protocol):
    """What the batcher needs of a model; tests use fakes."""

    token_limit: int

    def answer(self, texts: Sequence[str], explain: Sequence[Explain]) -> list[TextAnswer]:
        """Return an answer per text; ``explain`` says what else each gets."""
        ...


class _Request:
    """Texts that came together: one future, of which the event loop has to know, for all.

    Args:
        future: gets their answers, or what kept one of them from it.
        count: of the texts.
    """

    __slots__ = ("_answers", "_left", "future")

    def __init__(self, future: asyncio.Future[list[TextAnswer]], count: int) -> None:
        self.future, self._left = future, count
        self._answers: dict[int, TextAnswer] = {}

    def take(self, place: int, outcome: TextAnswer | Exception) -> None:
        """Take what came of one of the texts. In the event loop."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
            return
        self._answers[place] = outcome
        self._left -= 1
        if not self._left:
            self.future.set_result([self._answers[i] for i in range(len(self._answers))])

    def expire(self) -> None:
        """Let nobody wait for the answers any longer."""
        if not self.future.done():
            self.future.set_exception(TimeoutError())


@dataclass(eq=False, slots=True)
class _Item:
    """One text that waits; ``place`` is its own among those of its request."""

    text: str
    explain: Explain
    tokens: int
    arrived: float
    request: _Request
    place: int


class Batcher:
    """A queue of texts, and the thread that answers them.

    Args:
        model: what answers.
        delay: seconds that a text waits at most for others.
        tokens: estimated tokens at which a batch waits no longer.
        capacity: texts that may wait.
        metrics: counts batches.
    """

    def __init__(
        self, model: Answering, delay: float, tokens: int, capacity: int, metrics: Metrics
    ) -> None:
        self.model = model
        self._delay, self._budget, self._capacity = delay, tokens, capacity
        self._metrics = metrics
        self._items: deque[_Item] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._tokens = 0
        self._closing = False
        self._changed = Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="encoder", daemon=True)
        metrics.waiting = lambda: len(self._items)

    def start(self) -> None:
        """Start the thread. The running event loop is the one that asks."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    @property
    def closing(self) -> bool:
        """Whether no more texts are taken."""
        return self._closing

    @property
    def alive(self) -> bool:
        """Whether texts are answered."""
        return self._thread.is_alive()

    async def answer(
        self, texts: Sequence[str], seconds: float, explain: Explain = NOTHING
    ) -> list[TextAnswer]:
        """Return an answer per text. Texts for which nobody waits any more are not encoded.

        Raises:
            QueueFullError: they do not all fit, or the service stops.
            TimeoutError: there were no answers in so many seconds.
            Exception: what kept a text from being answered.
        """
        loop = asyncio.get_running_loop()
        request = _Request(loop.create_future(), len(texts))
        self._queue(request, texts, explain)
        late = loop.call_later(seconds, request.expire)
        try:
            return await request.future
        finally:
            late.cancel()

    def _queue(self, request: _Request, texts: Sequence[str], explain: Explain) -> None:
        now, limit = time.monotonic(), self.model.token_limit
        items = [
            _Item(text, explain, min(limit, expected_tokens(text)), now, request, place)
            for place, text in enumerate(texts)
        ]
        with self._changed:
            if self._closing or len(self._items) + len(items) > self._capacity:
                raise QueueFullError
            self._items += items
            self._tokens += sum(item.tokens for item in items)
            self._changed.notify()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Have the thread call a function between two batches, and return what it gives."""
        future: Future[Any] = Future()
        with self._changed:
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Answer what is queued, take no more, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._items or self._calls or self._closing):
                    self._changed.wait()
                call = self._calls.popleft() if self._calls else None
                if call is None and not self._items:
                    return
                batch = [] if call else self._gathered()
            if call:
                _settle(call[1], call[0])
            else:
                self._answer([item for item in batch if not item.request.future.done()])

    def _gathered(self) -> list[_Item]:
        """Wait until a batch is due, and take it off the queue. The lock is held."""
        due = self._items[0].arrived + self._delay
        while self._tokens < self._budget and not self._closing:
            left = due - time.monotonic()
            if left <= 0 or self._calls:
                break
            self._changed.wait(left)
        batch: list[_Item] = []
        tokens = 0
        while self._items and (not batch or tokens + self._items[0].tokens <= self._budget):
            item = self._items.popleft()
            tokens += item.tokens
            batch.append(item)
        self._tokens -= tokens
        return batch

    def _answer(self, batch: list[_Item]) -> None:
        """Answer a batch; if that fails each text by itself, so that none spoils others."""
        if not batch:
            return
        self._metrics.batch(len(batch), sum(item.tokens for item in batch))
        outcomes: Sequence[TextAnswer | Exception]
        try:
            outcomes = self.model.answer(
                [item.text for item in batch], [item.explain for item in batch]
            )
        except Exception as error:
            if isinstance(error, ManyheadsError) and len(batch) > 1:
                for item in batch:
                    self._answer([item])
                return
            outcomes = [error] * len(batch)
        self._hand_over(batch, outcomes)

    def _hand_over(
        self, batch: Sequence[_Item], outcomes: Sequence[TextAnswer | Exception]
    ) -> None:
        """Have the event loop give a whole batch its answers: it is woken once."""
        assert self._loop is not None
        with suppress(RuntimeError):  # it has ended: nobody waits for an answer
            self._loop.call_soon_threadsafe(_give, batch, outcomes)


def _give(batch: Sequence[_Item], outcomes: Sequence[TextAnswer | Exception]) -> None:
    for item, outcome in zip(batch, outcomes, strict=True):
        item.request.take(item.place, outcome)


def _settle(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:
        future.set_exception(error)
