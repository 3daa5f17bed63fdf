"""``run.sqlite``: every case a campaign judged, every verdict, every finding, for queries of one's own.

Tables: ``cases(number, digest, origin)``, ``verdicts(number, backend, verdict)``,
``findings(id, signature, backend, folder, seen)``, ``coverage(cell, cases)``,
``fusions(backend, name, cases, first)`` of a sample of the cases and, where the standard says
nothing, ``silent(number, reason, parties)`` with who agrees with whom; ``number`` and ``first`` are
a case's place in the campaign. The others are the campaign's journal: ``suspicions`` that are not
settled, ``bugs``, ``became``, ``unexplained``, the ids in ``laws`` of findings that wait for theirs,
and in ``outbox`` the events that the log may lack.

What the journal is told becomes safe with the next event, in one transaction with it; the event is
written to the log afterwards. So the database is never behind the log, and `resume` makes up what
the log lacks. Nothing waits for the disk: a killed process loses nothing, a power cut may.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpus.finding import Match
from harness.backends.spec import parse
from harness.campaign.journal import Past, Pending
from harness.campaign.judge import JudgedTask
from harness.campaign.suspicions import Place
from harness.events import Event, FindingSaved, FindingSeen, to_json
from harness.parties import told
from harness.same import Bug
from harness.signature import Signature

_SCHEMA = """
create table if not exists cases (number integer primary key, digest text not null,
  origin text not null);
create table if not exists verdicts (number integer not null, backend text not null,
  verdict text not null, primary key (number, backend)) without rowid;
create table if not exists findings (id text primary key, signature text not null,
  backend text not null, folder text not null, seen integer not null);
create table if not exists coverage (cell text primary key, cases integer not null)
  without rowid;
create table if not exists fusions (backend text not null, name text not null,
  cases integer not null, first integer not null, primary key (backend, name)) without rowid;
create table if not exists silent (number integer primary key, reason text not null,
  parties text not null);
create table if not exists suspicions (number integer not null, backend text not null,
  handled integer not null, flaky text not null, place integer not null,
  primary key (number, backend)) without rowid;
create table if not exists bugs (place integer primary key, id text not null unique,
  bug text not null, seen integer not null);
create table if not exists became (larger text primary key, name text not null) without rowid;
create table if not exists unexplained (backend text not null, kind text not null,
  op text not null, times integer not null, primary key (backend, kind, op)) without rowid;
create table if not exists laws (id text primary key);
create table if not exists outbox (line integer primary key, event text not null);
"""


class Store:
    """The journal of a campaign, and a handler of its events: the first, before the log.

    ``lines`` is how many events the log holds already.
    """

    def __init__(self, path: Path, *, lines: int = 0) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma synchronous = off")
        self._database.executescript(_SCHEMA)
        self._database.execute("begin")
        self._lines = lines

    def judged(self, judged: JudgedTask) -> None:
        """The rows of a task, what it met and covered, and its suspicions."""
        rows = judged.rows
        self._all("cases", [(row.number, row.digest, row.origin) for row in rows])
        self._all(
            "verdicts",
            [(row.number, name, word) for row in rows for name, word in row.words.items()],
        )
        self._all(
            "silent",
            [(row.number, row.silent, told(row.parties)) for row in rows if row.silent],
        )
        self._all(
            "suspicions",
            [
                (each.number, each.spec.text, 0, each.flaky, place)
                for place, each in enumerate(judged.suspicions)
            ],
        )
        cells = Counter(cell for row in rows for cell in row.cells)
        self._database.executemany(
            "insert into coverage values (?, ?) "
            "on conflict (cell) do update set cases = cases + excluded.cases",
            cells.items(),
        )
        self._database.executemany(
            "insert into fusions values (?, ?, 1, ?) "
            "on conflict (backend, name) do update set cases = cases + 1",
            [
                (backend, name, row.number)
                for row in rows
                for backend, names in row.fusions.items()
                for name in names
            ],
        )
        for name, times in judged.seen.items():
            self._do("update bugs set seen = seen + ? where id = ?", times, name)

    def seen(self, name: str) -> None:
        """Count a sighting."""
        self._do("update bugs set seen = seen + 1 where id = ?", name)

    def became(self, larger: str, name: str) -> None:
        """Remember what a bug was shrunk to."""
        self._do("insert or replace into became values (?, ?)", larger, name)

    def unexplained(self, place: Place) -> None:
        """Count a bug without a diagnosis."""
        self._do(
            "insert into unexplained values (?, ?, ?, 1) "
            "on conflict (backend, kind, op) do update set times = times + 1",
            *place,
        )

    def found(self, bug: Bug) -> None:
        """Remember how to recognise a bug."""
        document = {
            "backend": bug.spec.text,
            "signature": asdict(bug.signature),
            "matches": [asdict(each) for each in bug.matches],
        }
        self._do(
            "insert into bugs (id, bug, seen) values (?, ?, 1)",
            bug.signature.id,
            json.dumps(document),
        )

    def handled(self, number: int, backend: str, suspects: int) -> None:
        """Remember how far the look into a suspicion got."""
        self._do(
            "update suspicions set handled = ? where number = ? and backend = ?",
            suspects,
            number,
            backend,
        )

    def settled(self, number: int, backend: str) -> None:
        """Forget a suspicion."""
        self._do("delete from suspicions where number = ? and backend = ?", number, backend)

    def law_wanted(self, name: str) -> None:
        """Remember that a finding waits for its law."""
        self._do("insert or ignore into laws values (?)", name)

    def law_settled(self, name: str) -> None:
        """Forget that it does."""
        self._do("delete from laws where id = ?", name)

    def handle(self, event: Event) -> None:
        """Make everything so far safe, together with the event."""
        match event:
            case FindingSaved(finding=finding, folder=folder):
                self._do(
                    "insert or replace into findings values (?, ?, ?, ?, ?)",
                    finding.id,
                    finding.signature,
                    finding.backend.name,
                    folder,
                    finding.seen,
                )
            case FindingSeen(id=name, seen=seen):
                self._do("update findings set seen = ? where id = ?", seen, name)
            case _:
                pass
        self._do("delete from outbox where line < ?", self._lines)
        self._do("insert into outbox values (?, ?)", self._lines, to_json(event))
        self._lines += 1
        self._database.execute("commit")
        self._database.execute("begin")

    def close(self) -> None:
        """Close the file; what was not followed by an event is not in it."""
        self._database.close()

    def past(self, *, seconds: float, saved: Mapping[str, FindingSaved]) -> Past:
        """All that it takes to go on; ``seconds`` used and findings ``saved`` are the log's."""
        ask = self._database.execute
        bugs = [
            (_read_bug(text), seen)
            for text, seen in ask("select bug, seen from bugs order by place")
        ]
        reported = {name: each.finding.seen for name, each in saved.items()}
        (judged,) = ask("select count(*) from cases").fetchone()
        return Past(
            number=judged,
            seconds=seconds,
            bugs=tuple(bug for bug, _ in bugs),
            seen={bug.signature.id: seen for bug, seen in bugs},
            reported={bug.signature.id: reported.get(bug.signature.id, 0) for bug, _ in bugs},
            became=dict(ask("select larger, name from became")),
            unexplained={row[:3]: row[3] for row in ask("select * from unexplained")},
            cells=frozenset(cell for (cell,) in ask("select cell from coverage")),
            pending=tuple(
                Pending(*row)
                for row in ask(
                    "select number, backend, handled, flaky, verdict from suspicions "
                    "join verdicts using (number, backend) order by number, place"
                )
            ),
            lawless=tuple(
                saved[each]
                for (each,) in ask("select id from laws order by rowid")
                if each in saved
            ),
            resumed=True,
        )

    def unsent(self) -> list[str]:
        """The lines that the log lacks, where it holds as many as was said."""
        rows = self._database.execute(
            "select event from outbox where line >= ? order by line", (self._lines,)
        )
        return [line for (line,) in rows]

    def folders(self) -> set[str]:
        """The folders of all findings that are safe."""
        return {row[0] for row in self._database.execute("select folder from findings")}

    def _all(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._database.executemany(f"insert into {table} values ({marks})", rows)

    def _do(self, statement: str, *row: object) -> None:
        self._database.execute(statement, row)


def _read_bug(text: str) -> Bug:
    document: dict[str, Any] = json.loads(text)
    return Bug(
        parse(document["backend"]),
        Signature(**document["signature"]),
        tuple(Match(**each) for each in document["matches"]),
    )
