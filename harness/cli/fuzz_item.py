"""A backend's fuzz run as one pytest item."""

from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from corpus.case import Case
from generators.graphs import cases
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants
from harness.cli.keep import keep_in
from harness.errors import BadInput
from harness.investigate import investigate, shrink
from harness.suspect import suspects
from harness.verdicts import is_wrong
from reports.console import finding_block

TIMEOUT = 10.0


class DivergenceError(AssertionError):
    """A backend computed something that its model does not say."""


class FuzzItem(pytest.Item):
    """Draws cases for one backend with Hypothesis until one is wrong.

    Hypothesis does not shrink: it slips from one bug to another on the way. Our reducer does.
    """

    backend: str

    @classmethod
    def of(cls, session: pytest.Session, backend: str) -> "FuzzItem":
        """The test ``quantdiff[BACKEND]``."""
        item: FuzzItem = cls.from_parent(session, name=f"quantdiff[{backend}]")
        item.backend = backend
        return item

    def runtest(self) -> None:
        """Run the cases; raises ``DivergenceError`` with the finding and its folder."""
        with Pool(TIMEOUT) as pool:
            bench = set_up(pool, with_variants([parse(self.backend)]))
            if wrong := self._first_wrong(bench):
                folder = Path(self.config.getoption("--quantdiff-out"))
                raise DivergenceError(_finding(bench, wrong, folder))

    def _first_wrong(self, bench: Bench) -> Case | None:
        option = self.config.getoption
        found: list[Case] = []

        @hypothesis.settings(
            max_examples=option("--quantdiff-cases"),
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=tuple(HealthCheck),
        )
        @hypothesis.given(
            cases(option("--quantdiff-family"), scales=option("--quantdiff-scales"))
        )
        def backend_is_right(case: Case) -> None:
            if any(is_wrong(case, each) for each in bench.run_all([case])[0].values()):
                found[:] = [case]
                raise DivergenceError(case.digest)

        try:
            backend_is_right()
        except DivergenceError:
            return found[0]
        return None

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """The finding in a few lines; a traceback of ours would help nobody."""
        if isinstance(excinfo.value, DivergenceError | BadInput):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """The item has a name but no line in a file."""
        return self.path, 0, self.name


def _finding(bench: Bench, case: Case, out: Path) -> str:
    """Shrink, save, and say what was found and where it lies."""
    spec, outcome = next(
        (spec, each) for spec, each in bench.run_all([case])[0].items() if is_wrong(case, each)
    )
    suspect = shrink(bench, suspects(bench, spec, case, outcome)[0])
    saved = keep_in(out, patience=TIMEOUT)(investigate(bench, suspect, seed=0))
    lines = [line.plain for line in finding_block(saved, str(out))]
    return "\n".join([*lines, f"  folder {out / saved.folder}"])
