"""What is stated of a past run: one meaning, sane amounts, or a refusal with its reason."""

from __future__ import annotations

import pytest

from meter.errors import UsageError
from meter.past import booked
from tests.ledger.facts import config
from tests.past.statements import NOW_US, stated

WALL = {"gpu_hours": None, "wall_hours": "10", "count": "8"}

AMBIGUOUS = [
    ({"count": "8"}, "gpu-hours and count are both given"),
    ({"gpu_hours": None}, "how long GPUs worked is not known"),
    ({"gpu_hours": None, "wall_hours": "3"}, "how long GPUs worked is not known"),
    ({"gpu_hours": None, "count": "3"}, "how long GPUs worked is not known"),
    ({"watts": None}, "the power of a GPU is not known"),
    ({"gpu": "H100"}, "watts and gpu are both given"),
    ({"intensity": "385", "zone": "FRA"}, "intensity and zone are both given"),
    ({"end": "2026-03-02", "wall_hours": "3"}, "start, end and wall-hours are all given"),
    ({"start": None, "end": "2026-03-02"}, "an end without a start"),
    ({"price": "0.2"}, "a price needs its currency"),
    ({"gpu_rate": "2"}, "a price needs its currency"),
    ({"currency": "EUR"}, "a currency is given, but no price"),
]

WRONG = [
    ({"gpu_hours": "-1"}, "gpu-hours -1 cannot be"),
    ({"gpu_hours": "0"}, "gpu-hours 0 cannot be"),
    ({"gpu_hours": "nan"}, "gpu-hours 'nan' is no number"),
    ({"gpu_hours": "inf"}, "gpu-hours 'inf' is no number"),
    ({"gpu_hours": "1,022,362"}, "is no number: write it like 1234.5, without commas"),
    ({"gpu_hours": "9" * 50}, "is no number"),
    ({"gpu_hours": "1e10"}, "gpu-hours 1e10 cannot be"),
    ({"gpu_hours": "1e-9"}, "gpu-hours 1e-9 cannot be"),
    ({"gpu_hours": "999999999"}, "too much for one hour of one run"),
    ({"gpu_hours": "900000000", "wall_hours": "1"}, "more than a million GPUs at once"),
    ({**WALL, "count": "0"}, "count 0 cannot be"),
    ({**WALL, "count": "2.5"}, "count 2.5 is no whole number"),
    ({**WALL, "wall_hours": "-3"}, "wall-hours -3 cannot be"),
    ({**WALL, "wall_hours": "8785"}, "wall-hours 8785 cannot be"),
    ({"watts": "0.4"}, "watts 0.4 cannot be: it must be from 1 to 5,000 W"),
    ({"watts": "400000"}, "watts 400000 cannot be"),
    ({"watts": "400:410:420"}, "is not between its bounds"),
    ({"watts": "400:350"}, "is no band: write VALUE:LOW:HIGH"),
    ({"watts": "400 W"}, "watts '400 W' is no number"),
    ({"pue": "0.9"}, "pue 0.9 cannot be: it must be from 1 to 5"),
    ({"pue": "11"}, "pue 11 cannot be"),
    ({"pue": "1.1:0.9:1.2"}, "pue 0.9 cannot be"),
    ({"intensity": "0.385"}, "give grams: 0.385 kg/kWh are 385 g/kWh"),
    ({"intensity": "385000"}, "intensity 385000 cannot be"),
    ({"intensity": "-3"}, "intensity -3 cannot be"),
    ({"zone": "FRANCIA"}, "there is no zone 'FRANCIA': did you mean FRA"),
    ({"price": "-1", "currency": "EUR"}, "price -1 cannot be"),
    ({"price": "1", "currency": "eur"}, "the currency 'eur' is no currency code (EUR is one)"),
    ({"price": "1", "currency": "UDS"}, "did you mean USD"),
    ({"price": "20000EUR"}, "20,000 EUR/kWh is beyond 100 EUR/kWh: is it for an MWh"),
    ({"gpu_rate": "20000", "currency": "EUR"}, "gpu-rate: 20,000 EUR/h is beyond 1,000 EUR/h"),
    ({"start": "yesterday"}, "start 'yesterday' is no date or instant"),
    ({"start": "1969-01-01"}, "start '1969-01-01' is no date or instant"),
    ({"start": "2031-01-01"}, "the run lies in the future"),
    ({"start": "2026-03-01", "end": "2026-03-01"}, "ends before it starts"),
    ({"start": "2026-03-01", "end": "2026-02-01"}, "ends before it starts"),
    ({"start": "2027-03-01", "wall_hours": "2000"}, "the run lies in the future"),
    ({"start": "2001-03-01", "end": "2026-02-01"}, "more than a year"),
    ({"start": None, "end": "1970-01-01", "wall_hours": "3"}, "starts before 1970"),
    ({"name": " "}, "the name is empty"),
    ({"name": "x" * 300}, "the name has 300 characters"),
    ({"project": "a\nb"}, "the project has characters that cannot be printed"),
    ({"id": "a b"}, "the id has characters other than"),
    ({"tags": (("a", "1"), ("a", "2"))}, "a tag is given twice"),
]


@pytest.mark.parametrize(("changes", "said"), [*AMBIGUOUS, *WRONG])
def test_what_is_ambiguous_or_absurd_is_refused_with_the_reason(changes, said):
    with pytest.raises(UsageError) as caught:
        booked(stated(**changes), config(), NOW_US)
    assert said in str(caught.value)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_future_of_less_than_a_day_may_be_a_clock():
    soon = {"start": "2027-04-06T08:00Z"}  # 23 hours after the tests' now
    assert booked(stated(**soon), config(), NOW_US).run_id
