"""An energy, money and carbon meter for fine-tuning.

A job tells what it does by ``meter.mark(step=…)`` and ``with meter.phase("eval"):``; see
``docs/marks.md``. Nothing else is loaded by ``import meter``.
"""

__version__ = "0.1.0"
__all__ = ["__version__", "mark", "phase"]

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from meter.marks import mark, phase


def __getattr__(name: str) -> object:
    """Load what jobs use when they use it first."""
    if name not in {"mark", "phase", "marks"}:
        message = f"module 'meter' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415  paid by jobs that mark

    marks = import_module("meter.marks")
    globals().update(mark=marks.mark, phase=marks.phase)
    return globals()[name]
