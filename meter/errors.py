"""The one error tree; each error says what is wrong and what to do.

::

    MeterError
     ├─ UsageError             wrong command line or request (exit 2, HTTP 422)
     │   ├─ LimitError         too many or too long
     │   └─ ConflictError      the same id with other content (HTTP 409)
     ├─ ConfigError            a key of the configuration file
     ├─ SourceError            a measuring source
     │   ├─ SourceAbsentError  no driver, no library, no permission: run without it
     │   ├─ UnsupportedError   this device never gives this field: do not ask again
     │   ├─ TransientError     try again at the next tick
     │   └─ DeviceLostError    find the device again by its UUID
     ├─ LedgerError
     │   ├─ LedgerLockedError  another process holds the file
     │   ├─ LedgerTooNewError  written by a newer version
     │   ├─ LedgerDamagedError cannot be opened
     │   └─ LedgerFullError    no space; the batch is kept and tried again
     ├─ FactorError            a factor or price is missing or wrong
     │   └─ FeedError          a provider of live intensity gave nothing of use
     │       └─ FeedRefusedError  it does not know the key, or the key is not for this
     ├─ ProviderError          a provider of hosted fine-tuning gave nothing of use
     │   └─ ProviderRefusedError  it does not know the key, or the key lacks a right
     ├─ PartlyTakenError       some entries of a file are wrong, the others are stored
     ├─ ReportError            an export cannot be made
     └─ AgentError             the agent cannot be reached, or refuses
"""

from __future__ import annotations


class MeterError(Exception):
    """An error with its remedy.

    ``remedy`` is one sentence in the imperative; the command line prints both on one line.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class UsageError(MeterError):
    """Wrong command line or request."""


class LimitError(UsageError):
    """More, or longer, than is taken; the message names the limit."""


class ConflictError(UsageError):
    """The same id was used with other content."""


class ConfigError(MeterError):
    """A wrong key of the configuration file; the message names key, file and line."""


class SourceError(MeterError):
    """A measuring source failed; ``code`` is the driver's own error code, if it has one."""

    def __init__(self, message: str, remedy: str = "", *, code: int | None = None) -> None:
        super().__init__(message, remedy)
        self.code = code


class SourceAbsentError(SourceError):
    """The source is not there at all."""


class UnsupportedError(SourceError):
    """The device never gives this field."""


class TransientError(SourceError):
    """The field may be there at the next tick."""


class DeviceLostError(SourceError):
    """The device fell off, or its handle is stale."""


class LedgerError(MeterError):
    """The ledger cannot do what was asked."""


class LedgerLockedError(LedgerError):
    """Another process holds the ledger; ``pid`` is that process, None if unknown."""

    def __init__(self, message: str, remedy: str = "", *, pid: int | None = None) -> None:
        super().__init__(message, remedy)
        self.pid = pid


class LedgerTooNewError(LedgerError):
    """The ledger was written by a newer version."""


class LedgerDamagedError(LedgerError):
    """The ledger cannot be opened."""


class LedgerFullError(LedgerError):
    """No space is left for the ledger."""


class FactorError(MeterError):
    """A factor or price is missing or wrong."""


ASKED_AGAIN = "nothing to do; it is asked again"
"""Remedy of a FeedError that passes by itself; who asks once only says what to do instead."""


class FeedError(FactorError):
    """A provider of live intensity gave nothing of use.

    ``retry_after_s`` is how long it wants to be left alone, None if it did not say.
    """

    def __init__(
        self, message: str, remedy: str = "", *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.retry_after_s = retry_after_s


class FeedRefusedError(FeedError):
    """The provider does not know the key, or the key is not for what was asked."""


class ProviderError(MeterError):
    """A provider of hosted fine-tuning gave nothing of use; ``status`` is HTTP's, None without."""

    def __init__(self, message: str, remedy: str = "", *, status: int | None = None) -> None:
        super().__init__(message, remedy)
        self.status = status


class ProviderRefusedError(ProviderError):
    """It does not know the key, or the key lacks a right."""


class PartlyTakenError(MeterError):
    """Some entries of what was told are wrong; the others are stored."""


class ReportError(MeterError):
    """An export cannot be made."""


class AgentError(MeterError):
    """The agent cannot be reached, or refuses."""
