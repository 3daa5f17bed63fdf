"""Which of the wrong tensors seen in prefixes of a graph are the backend's fault."""

from collections.abc import Sequence

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.locate import Judged, alone
from harness.observe import PREFIXES
from harness.oracle import Oracle, Silent, judge
from harness.outcome import Values
from harness.verdicts import is_wrong


def borne_out(
    bench: Bench, spec: BackendSpec, case: Case, rows: tuple[Judged, ...], method: str
) -> tuple[Judged, ...]:
    """The rows without those that look wrong only beside another run's tensors.

    A prefix may be fused in another way than the graph, and of two codes that a float convolution
    may give, each may have given one: the next operation then seems to start at the wrong code.
    What counts is wrong as a case of its own: the operation alone, or all that leads to the tensor.
    """
    if method != PREFIXES:
        return rows
    return tuple(
        row
        for row in rows
        if not row.verdict.is_wrong
        or _is_wrong_from_the_start(case, row)
        or _is_wrong_alone(bench, spec, alone(case, row, rows))
    )


def of_consequence(case: Case, rows: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """The rows without wrong codes of which everything right is made, in a graph that ends right.

    An optimizer may give codes other parameters, and what reads them, too: they are other codes
    than the model's, of which the same values are made. What nobody was seen to read stays.
    """
    kept: list[Judged] = []
    others: set[str] = set()
    for row in rows:
        reads_others = bool(others.intersection(row.unit.inputs))
        if (row.verdict.is_wrong or reads_others) and _are_other_codes(case, row, rows):
            others.add(row.tensor)
        elif not reads_others or _is_wrong_from_the_start(case, row):
            kept.append(row)
    return tuple(kept)


def at_fault_alone(
    bench: Bench,
    spec: BackendSpec,
    case: Case,
    wrong: Sequence[Judged],
    rows: tuple[Judged, ...],
) -> tuple[Judged, ...]:
    """Of the wrong tensors in a graph that ends right, those whose operation is wrong as a model of its own.

    Nothing else bears them out: where one rewritten pair reads and writes, codes that a coarse scale
    makes right are the model's and wrong, or other codes than the model's and right.
    """
    return tuple(row for row in wrong if _is_wrong_alone(bench, spec, alone(case, row, rows)))


def _are_other_codes(case: Case, row: Judged, rows: tuple[Judged, ...]) -> bool:
    """Whether what was seen to read these codes is right, or other codes itself, and some by them alone.

    Where each reader is also what the model makes of these very codes, they are codes of the model,
    and wrong: a coarse scale behind them gives the right answer all the same.
    """
    if row.array.dtype.kind not in "iu":
        return False
    by_them_alone = False
    for reader in (each for each in rows if row.tensor in each.unit.inputs):
        if _is_wrong_from_the_start(case, reader):
            if not _are_other_codes(case, reader, rows):
                return False
            by_them_alone = True
        else:
            by_them_alone |= reader.verdict.is_wrong
    return by_them_alone


def _is_wrong_from_the_start(case: Case, row: Judged) -> bool:
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs, [row.tensor])[row.tensor]
    except Silent:
        return False
    return judge(allowed, row.array).is_wrong


def _is_wrong_alone(bench: Bench, spec: BackendSpec, part: Case) -> bool:
    outcome = bench.run(part, spec)
    return isinstance(outcome, Values) and is_wrong(part, outcome)
