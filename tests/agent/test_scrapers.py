"""How slowly an agent is scraped, whoever else looks."""

from __future__ import annotations

from meter.agent.scrapers import GONE_NS, LATEST, MOST, Scrapers
from meter.units import NS_PER_S

S = NS_PER_S


def scraped(*came: tuple[int, str]) -> Scrapers:
    made = Scrapers()
    for at_s, who in sorted(came):
        made.note(who, at_s * S)
    return made


def test_nobody_has_a_pace_who_came_once() -> None:
    assert Scrapers().gap_ns(0) == 0
    assert scraped((0, "a"), (1, "b")).gap_ns(2 * S) == 0


def test_two_that_scrape_each_minute_are_slow_however_they_alternate_and_a_look_changes_nothing():
    came = [(at, "a") for at in range(0, 300, 60)] + [(at + 1, "b") for at in range(0, 300, 60)]
    assert scraped(*came).gap_ns(300 * S) == 60 * S
    looks = [(241, "look"), (242, "look"), (243, "look")]
    assert scraped(*came, *looks).gap_ns(300 * S) == 60 * S


def test_one_that_came_early_once_is_as_slow_as_before_and_one_that_became_quick_is_quick() -> None:
    slow = [(at, "a") for at in (0, 60, 120, 121)]
    assert scraped(*slow).gap_ns(130 * S) == 60 * S
    quick = [(130 + n, "a") for n in range(LATEST + 1)]
    assert scraped(*slow, *quick).gap_ns(140 * S) == S


def test_who_comes_no_more_is_forgotten() -> None:
    made = scraped((0, "a"), (60, "a"))
    assert made.gap_ns(60 * S + GONE_NS) == 60 * S
    assert made.gap_ns(61 * S + GONE_NS) == 0
    made.note("a", 1_000 * S)  # after a long pause: that was no pace
    assert made.gap_ns(1_000 * S) == 0


def test_a_crowd_of_names_takes_no_more_room() -> None:
    made = scraped((0, "a"), (60, "a"))
    for number in range(10 * MOST):
        made.note(f"x{number}", 61 * S)
    assert len(made._came) == MOST
