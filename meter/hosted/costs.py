"""OpenAI's costs asked for by an admin key: all pages, then whole days as charges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meter.errors import ProviderError
from meter.hosted.bills import openai as bill
from meter.hosted.bills.importing import checked
from meter.hosted.bills.rows import BillError
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
_MOST_DAYS = 180  # of one page
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


def synced(
    access: Access,
    since_us: int | None,
    wanted: Wanted,
    now_us: Callable[[], int],
    sleep: Callable[[float], None],
) -> Bill:
    """Charges since a day, that of ``since_us``; the day that is not over is flagged.

    Days are put together from all pages before anything of them is told, so that no part of one
    passes for the whole. Raises ProviderError, ProviderRefusedError for 401 and 403.
    """
    at_us = now_us()
    first_us = at_us - DAYS * _DAY_US if since_us is None else since_us
    first_us -= first_us % _DAY_US
    with Fetcher(PROVIDER, access, now_us, sleep) as fetcher:
        pages = list(_pages(fetcher, first_us))
    try:
        return checked(bill.pages_sheet(pages, wanted, at_us), at_us)
    except BillError as error:
        raise _strange(error) from None


def _pages(fetcher: Fetcher, first_us: int) -> Iterator[dict[str, object]]:
    query = (
        ("start_time", str(first_us // US_PER_S)),
        ("bucket_width", "1d"),
        ("group_by", "project_id"),
        ("group_by", "line_item"),
        ("limit", str(_MOST_DAYS)),
    )
    cursor: str | None = None
    seen = set()
    while True:
        more = () if cursor is None else (("page", cursor),)
        page = fetcher.get(Question(bill.PATH, query + more))
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
        f"OpenAI's costs are not as documented ({error.faults[0].text('costs')})",
        "nothing was written; check OPENAI_BASE_URL, or tell us the field",
    )
