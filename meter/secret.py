"""A text that is never shown: keys, passwords, tokens."""

from __future__ import annotations


class Secret:
    """Holds a text; nothing but :meth:`reveal` gives it back."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def reveal(self) -> str:
        """The text itself, for the header that it goes into and for nothing else."""
        return self._text
