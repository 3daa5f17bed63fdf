"""A backend's fuzz run as pytest items, each a range of cases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.pytest_fixtures import Wanted, bench_of, fuzz
from harness.errors import BadInput, DivergenceError

MOST_CASES = 250  # of one item; more are split, so that processes of pytest-xdist share them


class FuzzItem(pytest.Item):
    """The cases of some numbers on one backend; every bug that they show is a finding."""

    backend: str
    numbers: range
    wanted: Wanted

    @classmethod
    def all_of(cls, session: pytest.Session, backend: str) -> Iterator["FuzzItem"]:
        """``quantdiff[BACKEND]``, or ``quantdiff[BACKEND 0-249]`` and so on for many cases."""
        wanted = Wanted.of(session.config)
        cases = range(wanted.cases)
        for numbers in (cases[at : at + MOST_CASES] for at in cases[::MOST_CASES]):
            part = f" {numbers[0]}-{numbers[-1]}" if len(cases) > MOST_CASES else ""
            item: FuzzItem = cls.from_parent(session, name=f"quantdiff[{backend}{part}]")
            item.backend, item.numbers, item.wanted = backend, numbers, wanted
            item.add_marker("quantdiff")
            yield item

    def runtest(self) -> None:
        """Run the cases; raises ``DivergenceError`` with the findings and their folders."""
        bench = bench_of(self.config)
        if said := fuzz(bench, [self.backend], self.wanted, self.numbers, self):
            raise DivergenceError(said)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """The findings in a few lines; a traceback of ours would help nobody."""
        if isinstance(excinfo.value, DivergenceError | BadInput):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The item has a name but no line in a file."""
        return self.path, None, self.name
