"""``run.sqlite``: every case a campaign judged, every verdict, every finding, for queries of one's own.

Tables: ``cases(number, digest, origin)``, ``verdicts(number, backend, verdict)`` and
``findings(id, signature, backend, folder, seen)``; ``number`` is the case's place in the campaign.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from corpus.case import Case
from harness.events import BatchJudged, Event, FindingSaved, FindingSeen

_SCHEMA = """
create table cases (number integer primary key, digest text not null, origin text not null);
create table verdicts (number integer not null, backend text not null, verdict text not null,
  primary key (number, backend)) without rowid;
create table findings (id text primary key, signature text not null, backend text not null,
  folder text not null, seen integer not null);
"""


class Store:
    """A handler of events that writes the database; a batch is one transaction."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(_SCHEMA)

    def note(self, number: int, case: Case, verdicts: Mapping[str, str]) -> None:
        """Remember one judged case; safe on disk when its batch is."""
        self._database.execute(
            "insert into cases values (?, ?, ?)", (number, case.digest, case.origin)
        )
        self._database.executemany(
            "insert into verdicts values (?, ?, ?)",
            [(number, backend, verdict) for backend, verdict in verdicts.items()],
        )

    def handle(self, event: Event) -> None:
        """Commit at the end of a batch; keep the findings."""
        match event:
            case BatchJudged():
                self._database.commit()
            case FindingSaved(finding=finding, folder=folder):
                row = (
                    finding.id,
                    finding.signature,
                    finding.backend.name,
                    folder,
                    finding.seen,
                )
                self._write("insert or replace into findings values (?, ?, ?, ?, ?)", row)
            case FindingSeen(id=name, seen=seen):
                self._write("update findings set seen = ? where id = ?", (seen, name))
            case _:
                pass

    def close(self) -> None:
        """Close the file; cases of a batch that was not finished are not in it."""
        self._database.close()

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        self._database.execute(statement, row)
        self._database.commit()
