"""A kept bug, and what another release makes of its case."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from corpus.case import Array, Case
from corpus.finding import Finding
from corpus.history import (
    ANOTHER,
    CRASHED,
    REFUSED,
    RIGHT,
    SAME,
    TIMED_OUT,
    UNJUDGED,
    Release,
)
from corpus.load import InputError
from generators.illegal import breach_of
from harness.backends.spec import BackendSpec, parse
from harness.bench import Bench
from harness.kept import read_kept
from harness.outcome import Outcome, Values
from harness.same import Bug, is_silent, shows_bug
from harness.signature import Signature
from harness.suspect import suspects, tested
from harness.verdicts import NEVER, failure_of, is_wrong
from harness.wording import said_place

FINDING = "finding.json"
_FAILED = {"refused": REFUSED, "crashed": CRASHED, "timed-out": TIMED_OUT}


@dataclass(frozen=True, slots=True)
class KeptBug:
    """A finding's folder: the finding, its smallest case, and the wrong values it was kept with."""

    finding: Finding
    case: Case
    actual: dict[str, Array]

    @property
    def spec(self) -> BackendSpec:
        """The backend that it was found on."""
        return parse(self.finding.backend.name)

    @property
    def words(self) -> str:
        """Its signature without the backend: the same in every release."""
        return bug_words(self.finding.signature, self.spec)


def read_bug(folder: Path) -> KeptBug:
    """The bug that a finding's folder keeps.

    Raises:
        InputError: a file is missing or damaged.
        BadInput: its backend is unknown here.
    """
    path = folder / FINDING
    if not path.is_file():
        raise InputError(f"{folder} holds no {FINDING}; name the folder of a finding")
    try:
        finding = Finding.from_dict(json.loads(path.read_text(encoding="utf-8")))
        steps = replace(finding.steps, max=float(finding.steps.max))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    case, arrays = read_kept(folder, finding.signature)
    return KeptBug(replace(finding, steps=steps), case, arrays.get("actual", {}))


def bug_words(signature: str, spec: BackendSpec) -> str:
    """A signature's text without the backend, which is its first part."""
    return signature.removeprefix(f"{tested(spec)} | ")


def replayed(bench: Bench, spec: BackendSpec, bug: KeptBug, version: str) -> Release:
    """What a release makes of the bug's case; ``spec`` is on the bench, with that release."""
    outcome = bench.run(bug.case, spec)
    if _is_same(bench, spec, bug, outcome):
        return Release(version, SAME)
    kind, message = failure_of(outcome)
    if breach_of(bug.case) and kind not in NEVER:
        return Release(version, RIGHT, message)  # whatever it says of a broken model
    if kind:
        return Release(version, _FAILED[kind], message)
    if not is_wrong(bug.case, outcome):
        is_judged = bug.finding.is_by_partner or not is_silent(bug.case)
        return Release(version, RIGHT if is_judged else UNJUDGED)
    found = [
        bug_words(each.signature.text, spec)
        for each in suspects(bench, spec, bug.case, outcome)
    ]
    if bug.words in found:
        return Release(version, SAME)
    return Release(version, ANOTHER, "; ".join(found))


def _is_same(bench: Bench, spec: BackendSpec, bug: KeptBug, outcome: Outcome) -> bool:
    """The same failure, the same bits, or wrong values that the same fault or partner explains."""
    known = _known(spec, bug)
    is_judged = known.signature.kind != "nondeterministic" and not bug.finding.is_by_partner
    if not isinstance(outcome, Values) or not is_judged:
        return shows_bug(bench, known, bug.case, outcome)
    if not is_wrong(bug.case, outcome):
        return False
    return _has_same_bits(outcome, bug.actual) or (
        bool(known.matches) and shows_bug(bench, known, bug.case, outcome)
    )


def _has_same_bits(outcome: Values, actual: dict[str, Array]) -> bool:
    return bool(actual) and all(
        name in outcome.arrays
        and outcome.arrays[name].dtype == array.dtype
        and outcome.arrays[name].shape == array.shape
        and outcome.arrays[name].tobytes() == array.tobytes()
        for name, array in actual.items()
    )


def _known(spec: BackendSpec, kept: KeptBug) -> Bug:
    """The finding as what is looked for on another backend.

    A refusal whose words tell no place has its operator there.
    """
    finding = kept.finding
    *_, place, cause = ["", "", *kept.words.split(" | ", 2)[1:]]
    place = said_place(finding.message) if finding.kind == "refused" else place
    signature = Signature(
        tested(spec), finding.kind, finding.op, finding.fused_as, cause, place
    )
    return Bug(spec, signature, finding.diagnosis)
