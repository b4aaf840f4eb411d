"""One answer for all who asked before its making began."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Shared(Generic[T]):
    """Makes answers one after another; who waits for the same one gets the same one.

    An answer is at least as new as the question: nobody joins one that is being made already.
    What is answered belongs to all who asked, and must not be changed.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: dict[Hashable, Future[T]] = {}
        self._noting = threading.Lock()

    def ask(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer for ``key``, by ``make`` of the first who asked; raises what that raised."""
        with self._noting:
            joined = self._waiting.get(key)
            own: Future[T] = Future()
            if joined is None:
                self._waiting[key] = own
        if joined is not None:
            return joined.result()
        with self._turn:
            with self._noting:
                del self._waiting[key]
            self._make(own, make)
        return own.result()

    def _make(self, future: Future[T], make: Callable[[], T]) -> None:
        try:
            future.set_result(make())
        except Exception as error:  # noqa: BLE001 - raised to all who asked
            future.set_exception(error)
