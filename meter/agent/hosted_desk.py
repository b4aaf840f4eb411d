"""Hosted work as an agent takes it; any thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meter import gpu_time
from meter.agent.problems import NotFoundError
from meter.errors import LedgerError, UsageError
from meter.hosted.wire import hosting_of, job_of
from meter.ledger import inference, usage
from meter.ledger.reports import find_run
from meter.limits import DEFAULT_PROJECT
from meter.otlp_intake import OtlpIntake
from meter.past.hosted_judging import judge_of
from meter.past.hosted_taking import JobsTaken, JobsTold, open_jobs, take_jobs
from meter.period import period_of
from meter.usage_intake import take_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meter.ledger import Ledger
    from meter.ledger.reader import Reader
    from meter.otlp_intake import Telemetry
    from meter.period_document import Asked
    from meter.usage_intake import Answer


class HostedDesk:
    """Books jobs, hosting and usage."""

    def __init__(
        self,
        ledger: Ledger,
        project: str | None,
        now_us: Callable[[], int],
        taken: Callable[[], None] = lambda: None,
        *,
        keeps: bool = True,
    ) -> None:
        self._ledger = ledger
        self._project = project or DEFAULT_PROJECT
        self._now_us = now_us
        self._taken = taken
        self._keeps = keeps
        self._otlp = OtlpIntake(ledger, self._project)
        self._taking = threading.Lock()  # what is told of one job at one instant is told once

    def known_jobs(self, provider: str) -> dict[str, list[str]]:
        """Ids of a provider's jobs that ran when last seen, and of those that have ended."""
        with self._ledger.turn():
            running, settled = open_jobs(self._ledger, provider)
        return {"open": sorted(running), "settled": sorted(settled)}

    def take_jobs(
        self, jobs: Sequence[Mapping[str, Any]], hosting: Sequence[Mapping[str, Any]],
        project: str | None,
    ) -> JobsTaken:  # fmt: skip
        """Book jobs as told, durably. Raises UsageError for a wrong one, LedgerError."""
        self._require_keeping()
        told = JobsTold(
            jobs=[job_of(one) for one in jobs],
            project=self._project,
            hosting=[hosting_of(one) for one in hosting],
            seen_us=self._now_us(),
            asked=project,
        )
        with self._taking, self._ledger.turn(), self._then_taken():
            return take_jobs(self._ledger, told, judge_of(self._ledger))

    def take_usage(self, told: Sequence[object]) -> list[Answer]:
        """Take events, durably; what became of each. Raises LedgerError."""
        self._require_keeping()
        with self._then_taken():
            return take_usage(self._ledger, told, self._now_us(), self._project)

    def otlp_spans(self, body: object) -> Telemetry:
        """Take spans, durably. Raises UsageError, LedgerError."""
        self._require_keeping()
        with self._then_taken():
            return self._otlp.spans(body, self._now_us())

    def otlp_metrics(self, body: object) -> Telemetry:
        """Take metrics, durably. Raises UsageError, LedgerError."""
        self._require_keeping()
        with self._then_taken():
            return self._otlp.metrics(body, self._now_us())

    def usage(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Usage by project, model and meter, with its cost."""
        with self._ledger.question() as reader:
            return usage.listed(reader, asked)

    def inference(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """What requests are estimated to have used, by project and model."""
        with self._ledger.question() as reader:
            return inference.listed(reader, asked)

    def gpu_time(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """What GPU time of no job is estimated to have used, by project, model and GPU."""
        with self._ledger.question() as reader:
            return gpu_time.listed(reader, asked)

    def costs(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Runs, own and hosted, side by side."""
        with self._ledger.question() as reader:
            return usage.costs(reader, asked)

    def period(self, asked: Asked, as_of_us: int | None) -> dict[str, Any]:
        """Runs of a project or a period side by side. Raises UsageError, LedgerError."""
        with self._ledger.question() as reader, reader.snapshot():
            found = replace(asked, runs=tuple(_found(reader, text) for text in asked.runs))
            return period_of(reader, found, as_of_us)

    @contextmanager
    def _then_taken(self) -> Iterator[None]:
        """Tell at the end that there may be more usage, also after a failure in the midst."""
        try:
            yield
        finally:
            self._taken()

    def _require_keeping(self) -> None:
        if not self._keeps:
            raise LedgerError(
                "the ledger is in memory: nothing would be kept", "set METER_HOME elsewhere"
            )


def _found(reader: Reader, text: str) -> str:
    """The run that a text means. Raises NotFoundError."""
    try:
        return find_run(reader, text)
    except UsageError as error:
        raise NotFoundError(error.message, error.remedy) from None
