"""The unit of a campaign's work: the cases of some numbers, drawn, run and judged.

``judge`` depends on what it is given alone, so that any process may do it: the same numbers give
the same cases and the same verdicts wherever and whenever they are judged.
"""

import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench, Skipped, operator_of
from harness.campaign.plan import Plan
from harness.campaign.suspicions import (
    Knowledge,
    Suspicion,
    bug_of,
    how_flaky,
    is_beside,
    looked_into,
    recognised,
)
from harness.coverage import taken
from harness.errors import BadInput
from harness.outcome import Outcome, TimedOut, Values
from harness.parties import Parties, parties
from harness.partner_bugs import words_by_partner
from harness.same import Bug
from harness.signature import NONDETERMINISTIC
from harness.suspect import Suspect
from harness.verdicts import JudgedAll, is_suspicious, judge_all

Answers = dict[BackendSpec, Outcome]


@dataclass(frozen=True, slots=True)
class Task:
    """Numbers to judge. ``watched`` and ``skipped`` are backends and operators (see `Supply`)."""

    numbers: range
    known: Knowledge = field(default_factory=Knowledge)
    watched: Skipped = frozenset()
    skipped: Skipped = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One judged case: the verdict of every backend in one word.

    Where the oracle is ``silent``, for that reason, only failures have words, and answers that a
    backend's answer to a partner does not fit; ``parties`` says then which backends agree.
    ``fusions`` are those that backends took, where somebody looked. Of a case that could not be
    drawn or judged, by a fault of ours, ``failure`` is the traceback, and nothing else is known.
    """

    number: int
    digest: str
    origin: str
    words: Mapping[str, str]
    cells: tuple[str, ...]
    silent: str = ""
    parties: Parties = ()
    fusions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """What became of a task: a row a case, and what is suspicious, in the order of the cases.

    ``seen`` counts the known bugs that were met, by id. ``hangs`` gives for each backend and
    operator that hung or is watched how many time-outs in a row it ended with, and whether it
    gave no answer at all; ``unasked`` counts what was skipped, by backend.
    """

    numbers: range
    rows: tuple[Row, ...]
    suspicions: tuple[Suspicion, ...]
    seen: Mapping[str, int]
    hangs: Mapping[tuple[str, str], tuple[int, bool]]
    unasked: Mapping[str, int]


def judge(bench: Bench, plan: Plan, task: Task, *, deep: bool) -> JudgedTask:
    """Draw, run and judge the cases of a task; with ``deep`` also look into what is suspicious.

    A fault of ours in one case costs that case alone: its row has the traceback.
    """
    drawn = {number: _drawn(plan, number) for number in task.numbers}
    cases = {number: case for number, case in drawn.items() if isinstance(case, Case)}
    answers = _answers(bench, cases, task.skipped)
    rows = {
        number: each for number, each in (drawn | answers).items() if isinstance(each, Row)
    }
    answered = {n: each for n, each in answers.items() if not isinstance(each, Row)}
    suspicions: list[Suspicion] = []
    seen: Counter[str] = Counter()
    for number, outcomes in answered.items():
        case = cases[number]
        met = tuple(bug for each in suspicions for bug in _bugs(each))
        look = _Look(bench, number, case, task.known, met, deep)
        try:
            rows[number] = look.judged(outcomes)
        except (BadInput, OSError):
            raise  # no matter of the case
        except Exception:
            rows[number] = _failed(number)
        else:
            suspicions += look.suspicions
            seen.update(look.seen)
    return JudgedTask(
        task.numbers,
        tuple(rows[number] for number in task.numbers),
        tuple(suspicions),
        dict(seen),
        *_hangs(task, [cases[n] for n in answered], list(answered.values()), bench.specs),
    )


def _drawn(plan: Plan, number: int) -> Case | Row:
    try:
        return plan.case(number)
    except Exception:
        return _failed(number)


def _answers(
    bench: Bench, cases: Mapping[int, Case], skipped: Skipped
) -> dict[int, Answers | Row]:
    """What the backends say of each case; one by one where something of ours fails at one of them."""
    try:
        return dict(zip(cases, bench.run_all(list(cases.values()), skipped), strict=True))
    except (BadInput, OSError):
        raise  # no matter of the case
    except Exception:
        if len(cases) == 1:
            return {number: _failed(number) for number in cases}
    found: dict[int, Answers | Row] = {}
    for number, case in cases.items():
        found |= _answers(bench, {number: case}, skipped)
    return found


def _failed(number: int) -> Row:
    """The row of a case that made the exception which is being handled."""
    return Row(number, "", "", {}, (), failure=traceback.format_exc())


def _bugs(suspicion: Suspicion) -> Iterator[Bug]:
    for each in suspicion.suspects or ():
        if isinstance(each, Suspect):
            yield bug_of(each)


@dataclass(slots=True)
class _Look:
    """Judges one case, and gathers what is suspicious about it and what is ``known`` already.

    ``met`` are the bugs that the cases before it in the task showed.
    """

    bench: Bench
    number: int
    case: Case
    known: Knowledge
    met: tuple[Bug, ...]
    is_deep: bool
    suspicions: list[Suspicion] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def judged(self, outcomes: Mapping[BackendSpec, Outcome]) -> Row:
        """What became of the case."""
        judged = judge_all(self.case, outcomes)
        words = dict(judged.words)
        if judged.silent:
            words |= words_by_partner(self.bench, self.case, outcomes)
        for spec, outcome in _suspicious(words, outcomes, is_vague=judged.is_vague):
            bug = recognised(self.bench, self.known.bugs, spec, self.case, outcome)
            if bug is not None:
                self.seen.append(bug.signature.id)
                flaky = is_beside(self.bench, bug, self.case, outcome)
            else:
                flaky = self._is_flaky(spec, outcome, words[spec.text])
            if flaky:
                words[spec.text] = NONDETERMINISTIC
        return _row(self.bench, self.number, self.case, outcomes, judged, words)

    def _is_flaky(self, spec: BackendSpec, outcome: Outcome, word: str) -> bool:
        """Note a suspicion, and say whether another run of the case differs."""
        bench, case = self.bench, self.case
        wrong = is_suspicious(word, outcome)
        flaky = how_flaky(bench, spec, case, outcome) if wrong else ""
        each = Suspicion(self.number, spec, outcome, len(self.known.bugs), flaky)
        if self.is_deep and recognised(bench, self.met, spec, case, outcome) is None:
            each = looked_into(bench, case, each, self.known)
            self.met += tuple(_bugs(each))
        self.suspicions.append(each)
        return bool(flaky)


def _row(
    bench: Bench,
    number: int,
    case: Case,
    outcomes: Mapping[BackendSpec, Outcome],
    judged: JudgedAll,
    words: Mapping[str, str],
) -> Row:
    return Row(
        number,
        case.digest,
        case.origin,
        words,
        case.cells,
        judged.silent,
        parties=_parties(outcomes) if judged.silent else (),
        fusions=taken(bench, number, case, outcomes),
    )


def _parties(outcomes: Mapping[BackendSpec, Outcome]) -> Parties:
    return parties({spec.text: each for spec, each in outcomes.items()})


def _suspicious(
    words: Mapping[str, str], outcomes: Mapping[BackendSpec, Outcome], *, is_vague: bool
) -> Iterator[tuple[BackendSpec, Outcome]]:
    for spec, outcome in outcomes.items():
        if (word := words.get(spec.text)) is not None:
            vague = is_vague and isinstance(outcome, Values)
            if vague or is_suspicious(word, outcome):
                yield spec, outcome


def _hangs(
    task: Task,
    cases: Sequence[Case],
    answers: Sequence[Mapping[BackendSpec, Outcome]],
    specs: Sequence[BackendSpec],
) -> tuple[dict[tuple[str, str], tuple[int, bool]], dict[str, int]]:
    """What `JudgedTask` says of hangs and of what was not asked."""
    hung = any(isinstance(each, TimedOut) for by_spec in answers for each in by_spec.values())
    if not (hung or task.watched or task.skipped):
        return {}, {}
    late: dict[tuple[str, str], list[bool]] = {}
    unasked: Counter[str] = Counter()
    for case, by_spec in zip(cases, answers, strict=True):
        operator = operator_of(case.proto())
        for spec in specs:
            pair = spec.text, operator
            if spec in by_spec:
                late.setdefault(pair, []).append(isinstance(by_spec[spec], TimedOut))
            else:
                unasked[spec.text] += pair in task.skipped
    told = {
        pair: (_at_end(each), all(each))
        for pair, each in late.items()
        if any(each) or pair in task.watched
    }
    return told, dict(+unasked)


def _at_end(late: Sequence[bool]) -> int:
    """How many are true at the end."""
    return next((n for n, each in enumerate(reversed(late)) if not each), len(late))
