"""Whoever waits for the same answer gets the same one, and no older than his question."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from meter.agent.sharing import Shared

ASKERS = 32


class Slow:
    """Makes an answer when let; counts how often it was asked for one."""

    def __init__(self) -> None:
        self.made = 0
        self.go = threading.Event()
        self.began = threading.Event()

    def __call__(self) -> int:
        self.made += 1
        made = self.made
        self.began.set()
        assert self.go.wait(10)
        return made


def test_all_who_ask_before_the_making_begins_share_it_and_later_ones_share_the_next() -> None:
    shared: Shared[int] = Shared()
    slow = Slow()
    asked = threading.Semaphore(0)

    def ask() -> int:
        asked.release()
        return shared.ask("run", slow)

    with ThreadPoolExecutor(ASKERS) as pool:
        first = pool.submit(ask)
        assert slow.began.wait(10)
        later = [pool.submit(ask) for _ in range(ASKERS - 1)]
        for _ in range(ASKERS):
            assert asked.acquire(timeout=10)
        slow.go.set()
        assert first.result(10) == 1
        found = [one.result(10) for one in later]
    # nobody who came after the first began got the first's; a straggler may need a third
    assert min(found) == 2
    assert slow.made < ASKERS


def test_other_keys_have_answers_of_their_own() -> None:
    shared: Shared[str] = Shared()
    assert [shared.ask(key, lambda key=key: key * 2) for key in ("a", "b")] == ["aa", "bb"]


def test_an_error_reaches_who_asked_and_the_next_question_is_asked_anew() -> None:
    shared: Shared[int] = Shared()

    def fail() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        shared.ask("run", fail)
    assert shared.ask("run", lambda: 7) == 7
