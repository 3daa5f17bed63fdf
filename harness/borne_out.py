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


def at_fault_alone(
    bench: Bench,
    spec: BackendSpec,
    case: Case,
    wrong: Sequence[Judged],
    rows: tuple[Judged, ...],
) -> tuple[Judged, ...]:
    """Of the wrong tensors in a graph that ends right, those whose operation is wrong as a model of its own.

    An optimizer may give codes other parameters, and what reads them, too: they are other codes
    than the model's, of which the same values are made, and nobody's fault.
    """
    return tuple(row for row in wrong if _is_wrong_alone(bench, spec, alone(case, row, rows)))


def _is_wrong_from_the_start(case: Case, row: Judged) -> bool:
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs, [row.tensor])[row.tensor]
    except Silent:
        return False
    return judge(allowed, row.array).is_wrong


def _is_wrong_alone(bench: Bench, spec: BackendSpec, part: Case) -> bool:
    outcome = bench.run(part, spec)
    return isinstance(outcome, Values) and is_wrong(part, outcome)
