"""An energy, money and carbon meter for fine-tuning.

A job tells what it does by ``meter.mark(step=…)`` and ``with meter.phase("eval"):``; see
``docs/marks.md``. ``meter.link("wandb", id)`` tells an id that others gave its run, and
``meter.usage(response)`` what a hosted model's response used. Nothing else is loaded by
``import meter``.
"""

__version__ = "0.1.0"
__all__ = ["__version__", "link", "mark", "phase", "usage"]

TYPE_CHECKING = False  # `typing` would be paid by each job's start
if TYPE_CHECKING:
    from meter.marks import link, mark, phase, usage


class _Unheard:
    """What marks are told to while they are being loaded, as in a signal's handler: nobody."""

    def __call__(self, *_: object, **__: object) -> "_Unheard":
        return self

    __enter__ = __getattr__ = __call__

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""


def __getattr__(name: str) -> object:
    """Load what jobs use when they use it first."""
    if name not in __all__ and name != "marks":
        message = f"module 'meter' has no attribute {name!r}"
        raise AttributeError(message)
    try:
        from importlib import import_module  # noqa: PLC0415  paid by jobs that mark

        marks = import_module("meter.marks")
        names = {name: getattr(marks, name) for name in __all__ if name != "__version__"}
        globals().update(names)
    except Exception:  # noqa: BLE001  the job is sacred
        return _Unheard()
    return globals()[name]
