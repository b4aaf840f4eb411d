"""One load of every kind, with odd numbers in it."""

from __future__ import annotations

from standin.scenario import Constant, Ramp, RandomSpikes, Sine, Spikes, Square, Step, Steps

SHAPES = [
    Constant(300),
    Ramp(100, 700, over_s=3, phase_s=1),
    Ramp(100, 700, over_s=3, repeat_s=4),
    Square(100, 700, period_s=0.9),
    Square(100, 700, period_s=0.9, duty=0.3, phase_s=0.123456789),
    Sine(400, 150, period_s=1.7, phase_s=0.2),
    Spikes(500, width_s=0.05, period_s=0.4, phase_s=-0.3),
    RandomSpikes(500, width_s=0.05, period_s=0.4, probability=0.6, seed=5),
    RandomSpikes(450.5, width_s=0.003, period_s=0.01, seed=6, phase_s=0.1),
    Steps((Step(1, 70), Step(0.5, 70, 600), Step(3, 600), Step(0.25, 600, 90))),
    Steps((Step(1, 70), Step(0.5, 70, 600), Step(3, 600), Step(0.25, 600, 90)), loop=True),
    Square(100, 700, period_s=0.9, repeat_s=2.2),
]
