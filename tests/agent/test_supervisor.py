from __future__ import annotations

import itertools
import os
import signal
import sys
import time

from meter.agent.supervisor import Patience, Supervisor, spawn

S = 1_000_000_000
PATIENCE = Patience(init_ns=30 * S, beat_ns=3 * S, term_ns=S)


class FakeChild:
    """A process that dies of the signals in ``mortal``."""

    def __init__(self, write_fd: int, mortal: tuple[int, ...]) -> None:
        self.fd = os.dup(write_fd)
        self.mortal = mortal
        self.signals: list[int] = []
        self.dead = False

    def say(self, line: bytes) -> None:
        os.write(self.fd, line)

    def die(self) -> None:
        if not self.dead:
            os.close(self.fd)
            self.dead = True

    def kill(self, signal_number: int) -> None:
        self.signals.append(signal_number)
        if signal_number in self.mortal:
            self.die()

    def reaped(self) -> bool:
        return self.dead


class Nursery:
    """Makes fake children and remembers them."""

    def __init__(self, mortal: tuple[int, ...] = (signal.SIGTERM, signal.SIGKILL)) -> None:
        self.mortal = mortal
        self.children: list[FakeChild] = []

    def __call__(self, write_fd: int) -> FakeChild:
        self.children.append(FakeChild(write_fd, self.mortal))
        return self.children[-1]


def test_lines_are_handed_over_whole_however_they_arrive() -> None:
    nursery = Nursery()
    supervisor = Supervisor(nursery, PATIENCE)
    supervisor.start(0)
    (child,) = nursery.children
    child.say(b"one\ntw")
    assert supervisor.read(1) == [b"one"]
    child.say(b"o\nthree\n")
    assert supervisor.read(2) == [b"two", b"three"]
    assert supervisor.read(3) == []
    assert supervisor.heard_ns == 2


def test_silence_is_borne_for_thirty_seconds_at_first_and_for_three_later() -> None:
    nursery = Nursery()
    supervisor = Supervisor(nursery, PATIENCE)
    supervisor.start(0)
    for second in range(30):
        assert supervisor.tick(second * S) == []
    nursery.children[0].say(b"x\n")
    supervisor.read(30 * S)
    events = [supervisor.tick(30 * S + half * S // 2) for half in range(7)]
    assert [event.what for each in events for event in each] == ["hung"]
    assert nursery.children[0].signals == [signal.SIGTERM]


def test_a_sampler_deaf_to_sigterm_is_killed_a_second_later_and_replaced() -> None:
    nursery = Nursery(mortal=(signal.SIGKILL,))
    supervisor = Supervisor(nursery, PATIENCE)
    now = 0
    supervisor.start(now)
    nursery.children[0].say(b"x\n")
    supervisor.read(now)
    while len(nursery.children) < 2 and now < 20 * S:
        now += S // 2
        supervisor.tick(now)
    assert nursery.children[0].signals == [signal.SIGTERM, signal.SIGKILL]
    assert now <= 6 * S


def test_at_most_two_samplers_that_cannot_be_reaped() -> None:
    nursery = Nursery(mortal=())
    supervisor = Supervisor(nursery, Patience(init_ns=S, beat_ns=S, term_ns=S))
    events = []
    for half in range(200):
        events += supervisor.tick(half * S // 2)
    assert len(nursery.children) == 2
    assert [event.what for event in events].count("blocked") == 1
    nursery.children[0].die()
    for half in range(200, 210):
        supervisor.tick(half * S // 2)
    assert len(nursery.children) == 3


def test_a_dead_sampler_is_replaced_after_a_growing_pause() -> None:
    nursery = Nursery()
    supervisor = Supervisor(nursery, PATIENCE)
    starts = []
    for tick in range(200):
        now = tick * S // 10
        if any(event.what == "started" for event in supervisor.tick(now)):
            starts.append(now)
            nursery.children[-1].die()
        supervisor.read(now)
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[0] < S < pauses[-1]


def test_a_pause_of_our_own_is_not_held_against_the_sampler() -> None:
    nursery = Nursery()
    supervisor = Supervisor(nursery, PATIENCE)
    supervisor.start(0)
    nursery.children[0].say(b"x\n")
    supervisor.read(0)
    supervisor.tick(0)
    assert supervisor.tick(60 * S) == []
    assert nursery.children[0].signals == []


def test_a_real_child_gets_the_pipe_as_descriptor_3_and_nothing_else() -> None:
    script = (
        "import os\n"
        "names = ' '.join(n for n in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{n}'))\n"
        "own = os.getsid(0) == os.getpid()\n"
        "os.write(3, f'{own} {sorted(os.environ)} {names}\\n'.encode())\n"
    )
    kept = os.open(os.devnull, os.O_RDONLY)
    supervisor = Supervisor(
        lambda fd: spawn([sys.executable, "-S", "-E", "-c", script], {"LC_CTYPE": "C.UTF-8"}, fd)
    )
    supervisor.start(0)
    lines: list[bytes] = []
    deadline = time.monotonic() + 30
    while not lines and time.monotonic() < deadline:
        lines = supervisor.read(1)
    supervisor.stop()
    os.close(kept)
    assert len(lines) == 1
    first, second, *descriptors = lines[0].decode().split()
    assert (first, second) == ("True", "['LC_CTYPE']")
    assert {"0", "1", "2", "3"} <= set(descriptors)
    assert str(kept) not in descriptors
    while not supervisor.end():
        assert time.monotonic() < deadline
