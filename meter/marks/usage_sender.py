"""Tells the agent what was used of hosted models: a queue and a thread, nothing is waited for.

The agent needs a response's counts, not its texts: those do not leave the process.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import queue
import time

from meter.environment import socket_path
from meter.errors import AgentError
from meter.ids import new_id
from meter.launch.client import problem_text, request
from meter.marks import refusals

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, ClassVar

MOST_WAITING = 10_000
"""Responses that wait for the agent; beyond, new ones are dropped."""
BATCH = 100
PAUSE_S = 0.2
EXIT_S = 0.5
ANSWER_S = 10.0
AGAIN_S = 2.0
TEXT_CHARS = 200
"""Longer texts are none that counts need."""

_PATH = "/v1/usage"
_TEXTS = frozenset({
    "candidates", "choices", "content", "data", "embedding", "embeddings", "input", "instructions",
    "messages", "output", "outputs", "prompt", "text", "tools",
})  # fmt: skip
_ANSWERS = frozenset({"candidates", "choices"})
_ENDS = frozenset({"finishReason", "finish_reason"})
_DELTA = "delta"
_NAMED = frozenset({
    "id", "responseId", "response_id", "request_id", "created", "created_at", "createTime",
    "create_time", "startTime", "type",
})  # fmt: skip
"""What tells an answer from others, or is of the event of a stream, whose end has it."""
_COUNTED = frozenset({
    "amazon-bedrock-invocationMetrics", "inputTextTokenCount", "metadata", "prompt_token_count",
    "usage",
})  # fmt: skip
_DEEPEST = 6
_MOST_BITS = 128
_OK, _PASSING = 200, (404, 408, 429)
_REFUSED = frozenset({"conflict", "invalid"})


class UsageSender:
    """One process's responses; ``dropped`` counts those that the agent never took."""

    def __init__(self, path: str) -> None:
        self.dropped = 0
        self._socket_path = path
        self._queue: queue.SimpleQueue[tuple[object, dict[str, str], int]] = queue.SimpleQueue()
        self._batch: list[dict[str, Any]] = []
        self._begun = _thread.allocate_lock()

    def put(self, response: object, beside: dict[str, str]) -> None:
        """Queue a response, or count it as dropped."""
        if self._queue.qsize() >= MOST_WAITING:
            self.dropped += 1
            return
        self._queue.put((response, beside, time.time_ns() // 1000))
        if self._begun.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # no thread can be had now: the next response tries again
                self._begun.release()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is told, for at most so long; whether it is."""
        deadline = time.monotonic() + timeout_s
        while self._batch or not self._queue.empty():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    def _run(self) -> None:
        while True:
            self._gather()
            if self._batch and not self._told():
                time.sleep(AGAIN_S)

    def _gather(self) -> None:
        if not self._batch:
            self._add(*self._queue.get())
            if self._queue.qsize() < BATCH:
                time.sleep(PAUSE_S)
        with contextlib.suppress(queue.Empty):
            while len(self._batch) < BATCH:
                self._add(*self._queue.get_nowait())

    def _add(self, response: object, beside: dict[str, str], at_us: int) -> None:
        try:
            counted = without_texts(_plain(response))
            named = {"id": new_id(), "at": at_us} if _is_nameless(counted, beside) else {}
            told = {**named, **beside}
            self._batch.append({**told, "response": counted} if told else counted)
        # A response runs code of others, which may raise anything: none of it ends this thread, or
        # writes a traceback into the job's output. Signals reach the main thread alone.
        except BaseException:  # noqa: BLE001
            self.dropped += 1

    def _told(self) -> bool:
        """Send the batch once; whether the agent has taken it, or never will."""
        try:
            status, answer = request(self._socket_path, "POST", _PATH, self._batch, ANSWER_S)
        except AgentError:
            return False
        if status != _OK and (status >= 500 or status in _PASSING):
            return False
        refused = answer.get("invalid", 0) + answer.get("conflict", 0)
        self.dropped += refused if status == _OK else len(self._batch)
        _say(status, answer)
        self._batch = []
        return True


def _say(status: int, answer: Mapping[str, Any]) -> None:
    """Tell why responses were refused, if any were."""
    if status != _OK:
        refusals.refused("usage", f"HTTP {status}", problem_text(status, answer))
        return
    for one in answer.get("results", ()):
        if one.get("status") in _REFUSED:
            refusals.refused("usage", one["status"], one.get("reason", "no reason is given"))


def _plain(response: object) -> Any:
    """A response as plain values: SDKs' objects tell them, others are taken as they are."""
    for name in ("model_dump", "to_dict", "dict"):
        tell = getattr(response, name, None)
        if callable(tell) and not isinstance(response, dict):
            return _told_by(tell)
    return response


def _told_by(tell: Callable[..., Any]) -> Any:
    """Only what the provider said: a null that it sent means another thing than one it did not."""
    try:
        return tell(exclude_unset=True)
    except TypeError:
        return tell()


def _is_nameless(response: Any, beside: dict[str, str]) -> bool:
    """Whether it is a whole answer that neither id nor time is told of, such as an embedding.

    A batch that is sent again has the name that is given to it here.
    """
    if not isinstance(response, dict) or not beside.keys().isdisjoint({"id", "at"}):
        return False
    if any(response.get(name) for name in _NAMED):
        return False
    about = response.get("ResponseMetadata")
    if isinstance(about, dict) and about.get("RequestId"):
        return False
    return any(response.get(name) and not isinstance(response[name], str) for name in _COUNTED)


def _ends(answers: list[Any]) -> list[dict[str, bool]]:
    """Of each answer of a list only whether it has ended: in the midst of a stream it has not.

    Of a part of OpenAI's form also whether it writes anything: not all of them say the end.
    """
    told = [one for one in answers if isinstance(one, dict)]
    return [
        {
            **{name: bool(one[name]) for name in _ENDS & one.keys()},
            **({_DELTA: _writes(one[_DELTA])} if _DELTA in one else {}),
        }
        for one in told
    ]


def _writes(delta: Any) -> bool:
    if not isinstance(delta, dict):
        return bool(delta)
    return any(value for name, value in delta.items() if name != "role")


def without_texts(value: Any, deep: int = 0) -> Any:
    """Plain values without what may hold texts: counts, names and times stay."""
    if isinstance(value, dict):
        if deep >= _DEEPEST:
            return {}
        return {
            name: _without_texts(name, one, deep + 1)
            for name, one in value.items()
            if isinstance(name, str) and not (name in _TEXTS and isinstance(one, str | dict))
        }
    if isinstance(value, list | tuple):
        return [without_texts(one, deep + 1) for one in value] if deep < _DEEPEST else []
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARS else None
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else None  # no count, and costly to write
    return value if value is None or isinstance(value, float) else str(value)


def _without_texts(name: str, value: Any, deep: int) -> Any:
    """What stands under a name, without its texts."""
    if name not in _TEXTS or not isinstance(value, list):
        return without_texts(value, deep)
    return _ends(value) if name in _ANSWERS else []


class _Process:
    """What this process has; a child of a fork begins anew."""

    senders: ClassVar[dict[str, UsageSender]] = {}


def current() -> UsageSender:
    """The process's sender."""
    if "own" not in _Process.senders:
        made = UsageSender(socket_path(os.environ, os.getuid()))
        if _Process.senders.setdefault("own", made) is made:
            atexit.register(made.flush, EXIT_S)
    return _Process.senders["own"]


def existing() -> Iterable[UsageSender]:
    """The process's sender, if anything was told."""
    return tuple(_Process.senders.values())


os.register_at_fork(after_in_child=_Process.senders.clear)
