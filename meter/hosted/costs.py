"""OpenAI's costs, or its count of tokens, asked for by an admin key: all pages, then whole days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meter.errors import ProviderError
from meter.hosted.bills import openai as bill
from meter.hosted.bills import openai_usage
from meter.hosted.bills.importing import checked
from meter.hosted.bills.rows import BillError
from meter.hosted.bills.wanted import Sheet
from meter.hosted.fetch import Fetcher
from meter.hosted.jobs import openai
from meter.hosted.jobs.provider import Provider, Question, bearer, below
from meter.units import US_PER_HOUR, US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meter.hosted.access import Access
    from meter.hosted.bills.importing import Bill
    from meter.hosted.bills.wanted import Wanted

DAYS = 31
"""How far back is asked if nobody says."""
_DAY_US = 24 * US_PER_HOUR
_KEY = "OPENAI_ADMIN_KEY"

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    job=openai.job,
    base_url="https://api.openai.com/v1",
    url_variable="OPENAI_BASE_URL",
    keys=(_KEY,),
    right="is an admin key of the organisation and may read usage (api.usage.read)",
    authorise=bearer(_KEY),
    lists=(),
    one=below(bill.PATH),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What is asked for: where, by what it is grouped, how many days a page has, how it is read."""

    path: str
    groups: tuple[str, ...]
    page_days: int
    sheet: Callable[[object, Wanted, int], Sheet]


COSTS = Report(bill.PATH, ("project_id", "line_item"), 180, bill.sheet)
USAGE = Report(
    openai_usage.PATH, ("project_id", "model", "batch", "service_tier"), 31, openai_usage.sheet
)


def synced(
    report: Report,
    access: Access,
    since_us: int | None,
    wanted: Wanted,
    now_us: Callable[[], int],
    sleep: Callable[[float], None],
) -> Bill:
    """Charges since a day, that of ``since_us``, or usage of the days that are over.

    Days are put together from all pages before anything of them is told, so that no part of one
    passes for the whole. Raises ProviderError, ProviderRefusedError for 401 and 403.
    """
    at_us = now_us()
    first_us = at_us - DAYS * _DAY_US if since_us is None else since_us
    first_us -= first_us % _DAY_US
    with Fetcher(PROVIDER, access, now_us, sleep) as fetcher:
        pages = list(_pages(report, fetcher, first_us))
    try:
        told = any(page.get("data") for page in pages)
        return checked(report.sheet(pages, wanted, at_us) if told else Sheet(), at_us)
    except BillError as error:
        raise _strange(error) from None


def _pages(report: Report, fetcher: Fetcher, first_us: int) -> Iterator[dict[str, object]]:
    query = (
        ("start_time", str(first_us // US_PER_S)),
        ("bucket_width", "1d"),
        *(("group_by", group) for group in report.groups),
        ("limit", str(report.page_days)),
    )
    cursor: str | None = None
    seen = set()
    while True:
        more = () if cursor is None else (("page", cursor),)
        page = fetcher.get(Question(report.path, query + more))
        yield page
        try:
            cursor = bill.next_page(page)
        except BillError as error:
            raise _strange(error) from None
        if cursor is None:
            return
        if cursor in seen:
            raise ProviderError("OpenAI gives the same page again", "try again")
        seen.add(cursor)


def _strange(error: BillError) -> ProviderError:
    return ProviderError(
        f"OpenAI's answer is not as documented ({error.faults[0].text('page')})",
        "nothing was written; check OPENAI_BASE_URL, or tell us the field",
    )
