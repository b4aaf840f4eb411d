"""The batch chain, computed again from the ledger's rows, a page at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meter.ledger.chain import BEGIN_SHA256, CHAINED, Batch, content_sha256
from meter.ledger.forms import chained_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meter.ledger.reader import Reader

_ROWS = 20_000  # of a page, about: what is sorted in memory
_BATCHES = 5_000
_NAMED = 5

Line = tuple[int, str, bytes]  # commit, table, canonical text


@dataclass(frozen=True, slots=True)
class Finding:
    """Something not as it was sealed.

    ``what`` is catalogue, batch, rows, hours, statement or factor.
    """

    what: str
    where: int | str  # a commit's number, a statement's number, a table
    text: str
    differs: tuple[Mapping[str, Any], ...] = ()  # path, sealed and found values

    def json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "what": self.what, "where": self.where, "text": self.text,
            "differs": [dict(one) for one in self.differs],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the chain goes, as it says itself."""

    batches: int
    row_count: int
    newest: int | None

    def json(self) -> dict[str, Any]:
        """As JSON."""
        return {"batches": self.batches, "rows": self.row_count, "newest": self.newest}


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the chain, checked."""

    batches: int
    row_count: int
    last: int | None  # commit of the last link that was looked at
    sha256s: tuple[str, ...]
    findings: tuple[Finding, ...]

    def json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "batches": self.batches, "rows": self.row_count, "last": self.last,
            "sha256s": list(self.sha256s), "findings": [one.json() for one in self.findings],
        }  # fmt: skip


def chain_of(reader: Reader) -> Chain:
    """How far the chain goes."""
    row = reader.rows("audit/chain")[0]
    return Chain(row["batches"], int(row["row_count"]), row["newest"])


def outside(reader: Reader) -> list[Finding]:
    """Facts that no batch covers, and commits that are not there."""
    found = [
        Finding("rows", row["table_name"],
                f"{_count(row['row_count'], 'row')} of {row['table_name']} in no batch: added by "
                "other means, or the newest batches were removed")
        for row in reader.rows("audit/outside")
    ]  # fmt: skip
    chain = reader.rows("audit/chain")[0]
    if chain["newest"] is not None and (chain["last_commit"] or 0) < chain["newest"]:
        text = f"the chain goes to commit {chain['newest']}, the ledger to {chain['last_commit']}"
        found.append(Finding("rows", "last_commit", text))
    return found


def check_batches(reader: Reader, after: int) -> Page | None:
    """The batches after a commit, as many as make a page; None if there are none."""
    links = _page(reader.rows("audit/batches", after=after, limit=_BATCHES))
    if not links:
        return None
    before = reader.one("audit/batch_until", until=after)
    previous_sha256 = before["sha256"] if before else BEGIN_SHA256
    lines = _lines(reader, before["seq"] if before else -1, links)
    findings: list[Finding] = []
    seen: set[int] = set()
    for link in links:
        findings += _check(link, previous_sha256, lines.get(link["seq"], []))
        if link["seq"] in seen:
            findings.append(_finding(link, "is there twice"))
        seen.add(link["seq"])
        previous_sha256 = link["sha256"]
    count = sum(map(len, lines.values()))
    hashes = tuple(link["sha256"] for link in links)
    return Page(len(links), count, links[-1]["seq"], hashes, tuple(findings))


def _page(links: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole commits from the beginning, until their rows make a page."""
    rows = 0
    page: list[dict[str, Any]] = []
    for link in links:
        if rows >= _ROWS and link["seq"] != page[-1]["seq"]:
            break
        page.append(link)
        rows += max(0, link["row_count"])
    return page


def _lines(reader: Reader, after: int, links: Sequence[Mapping[str, Any]]) -> dict[int, list[Line]]:
    """Lines of the facts by the batch that covers them: the first of their commit or later."""
    found: dict[int, list[Line]] = defaultdict(list)
    seqs = iter(sorted({link["seq"] for link in links}))
    lines = sorted(_all_lines(reader, after, links[-1]["seq"]), key=lambda line: line[0])
    cover = next(seqs)
    for line in lines:
        while line[0] > cover:
            cover = next(seqs)
        found[cover].append(line)
    return found


def _all_lines(reader: Reader, after: int, until: int) -> Iterator[Line]:
    forms = chained_forms()
    for table in CHAINED:
        form = forms[table]
        place = form.columns.index("seq")
        for row in reader.plain(f"audit/{table}", after=after, until=until):
            yield row[place], table, form.line(row)


def _check(
    link: Mapping[str, Any], previous_sha256: str, lines: Sequence[Line]
) -> Iterator[Finding]:
    made = Batch(
        link["seq"],
        link["node_id"],
        link["row_count"],
        link["content_sha256"],
        link["previous_sha256"],
        link["recorded_at"],
    )
    if made.sha256 != link["sha256"]:
        yield _finding(link, "its own row was changed: its hash is not over what it says")
    if link["previous_sha256"] != previous_sha256:
        yield _finding(link, "does not follow the batch before it: one was removed or changed")
    if _content(lines) != (link["row_count"], link["content_sha256"]):
        own = [line for line in lines if line[0] == link["seq"]]
        yield _finding(link, _content_text(link, lines, own))


def _content(lines: Iterable[Line]) -> tuple[int, str]:
    texts = [text for _, _, text in lines]
    return len(texts), content_sha256(texts)


def _content_text(link: Mapping[str, Any], lines: Sequence[Line], own: Sequence[Line]) -> str:
    """What is wrong with the rows that a batch covers."""
    strange = sorted({seq for seq, _, _ in lines} - {link["seq"]})
    if strange and _content(own) == (link["row_count"], link["content_sha256"]):
        commits = ", ".join(map(str, strange[:_NAMED])) + (", …" if strange[_NAMED:] else "")
        rows = _count(len(lines) - len(own), "row")
        return f"{rows} of commit {commits} in no batch: added, or their batch was removed"
    kept, sealed = len(lines), link["row_count"]
    if kept != sealed:
        return f"covers {_count(sealed, 'row')}, and {kept} are there ({_tables(lines)})"
    return f"a row that it covers was changed ({_tables(lines)})"


def _tables(lines: Iterable[Line]) -> str:
    counts = Counter(table for _, table, _ in lines)
    return ", ".join(f"{table} {count}" for table, count in sorted(counts.items())) or "none"


def _finding(link: Mapping[str, Any], text: str) -> Finding:
    at = f"{link['recorded_at'].isoformat(sep=' ', timespec='seconds')} UTC"
    return Finding("batch", link["seq"], f"batch {link['seq']} of {at}: {text}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
