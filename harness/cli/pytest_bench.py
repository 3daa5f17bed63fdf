"""What the tests of one pytest process share: the backends' workers, and where findings go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus.case import Case
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, set_up, with_variants
from harness.cli.keep import keep_as
from harness.errors import BadInput
from harness.events import FindingSaved
from harness.investigate import Dossier
from harness.oracle import Oracle, Silent
from harness.pytest_findings import Claims
from harness.pytest_hypothesis import pass_over
from harness.run import Campaign, Plan
from harness.suspect import suspects
from harness.verdicts import is_suspicious, judge_all
from reports.console import finding_block

ONLY_ONCE = "it was wrong once, and right when it was asked again"

Backend = str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Numbered(Plan):
    """A plan whose numbers begin at ``first``: the cases are those of ``quantdiff fuzz``."""

    first: int = 0

    def case(self, number: int) -> Case:
        """See ``Plan``."""
        return Plan.case(self, self.first + number)


@dataclass(frozen=True, slots=True)
class Given(Plan):
    """A plan of cases that somebody else made."""

    given: tuple[Case, ...] = ()

    def case(self, number: int) -> Case:
        """See ``Plan``."""
        return self.given[number]


class PytestBench:
    """Backends that are started once, and findings that are kept once.

    ``shown`` is the folder of ``claims`` as a person is told it; ``timeout`` the seconds after
    which an engine hangs.
    """

    def __init__(self, claims: Claims, shown: str, timeout: float) -> None:
        self._pool, self._benches = Pool(timeout), dict[str, Bench]()
        self._claims, self._shown, self._timeout = claims, shown, timeout

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def start(self, name: str) -> Bench:
        """The bench of a backend and its variants.

        Raises:
            BadInput: it is unknown, or cannot be used here.
        """
        if name not in self._benches:
            self._benches[name] = set_up(self._pool, with_variants([parse(name)]))
        return self._benches[name]

    def is_wrong(self, case: Case, backend: str) -> bool:
        """Whether the backend or one of its variants is wrong on the case, also inside of it.

        Raises:
            BadInput: the oracle cannot judge a model, and it was not drawn by our generators.
        """
        bench = self.start(backend)
        outcomes = bench.run_all([case])[0]
        judged = judge_all(case, outcomes)
        if not judged.words:
            pass_over()
            _must_be_drawn(case)
        for spec, outcome in outcomes.items():
            word = judged.words.get(spec.text)
            if word is None:
                continue
            if is_suspicious(word, outcome):
                return True
            if judged.is_vague and suspects(bench, spec, case, outcome):
                return True
        return False

    def explain(self, case: Case, backend: str) -> tuple[FindingSaved, ...]:
        """The findings on one case, shrunk and kept."""
        plan = Given(0, "all", "any", self._shown, cases=1, given=(case,))
        return self.findings(backend, plan)

    def findings(self, backend: str, plan: Plan) -> tuple[FindingSaved, ...]:
        """Every bug that the cases of a plan show, each once."""
        campaign = Campaign(self.start(backend), plan, keep=self._keep)
        events = (each for each in campaign.events() if isinstance(each, FindingSaved))
        return tuple(events)

    def _keep(self, dossier: Dossier) -> FindingSaved:
        """Keep a finding, unless another test of the run has: then tell where it lies."""
        name, is_first = self._claims.claim(dossier.finding.id)
        if not is_first:
            return FindingSaved(dossier.finding, dossier.evidence, name)
        saved = keep_as(self._claims.out / name, dossier, patience=self._timeout)
        return replace(saved, folder=name)

    def words(self, found: Sequence[FindingSaved]) -> str:
        """The findings as the console shows them, with their folders."""
        if not found:
            return ONLY_ONCE
        names = dict.fromkeys(each.finding.backend.name for each in found)
        lines = [f"wrong int8 arithmetic of {', '.join(names)}"]
        for each in found:
            lines += (line.plain for line in finding_block(each, self._shown))
            lines.append(f"  folder {self.folder(each)}")
        return "\n".join(lines)

    def folder(self, saved: FindingSaved) -> str:
        """The finding's folder, as a person is told it."""
        return str(Path(self._shown, saved.folder))


def name_of(backend: Backend) -> str:
    """The name under which a worker process finds a backend; a function stands for its own.

    Raises:
        BadInput: the function has no name at the top level of a module.
    """
    if isinstance(backend, str):
        return backend
    module, name = (
        str(getattr(backend, f"__{each}__", "")) for each in ("module", "qualname")
    )
    if not name or "<" in name or module in ("", "__main__"):
        raise BadInput(
            f"backend {backend!r} cannot be found by a worker process; "
            "define it at the top level of a module"
        )
    return f"{module}:{name}"


def _must_be_drawn(case: Case) -> None:
    """Say so where a person's model is not judged: that must not look like a right answer."""
    try:
        Oracle(case.proto()).allowed(case.inputs)
    except Silent as silent:
        if not case.cells:
            raise BadInput(f"this case cannot be judged: {silent}") from None
