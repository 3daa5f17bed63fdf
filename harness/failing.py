"""Where a failure comes from: the shortest part of a graph that fails in the same words."""

from collections.abc import Callable
from dataclasses import dataclass

from corpus.case import Case, node_id
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cut import cut, tensor_types
from harness.observe import CONVERSIONS, main_op, units
from harness.outcome import FusedOp
from harness.verdicts import failure_of, is_suspicious
from harness.wording import message_words, said_place


@dataclass(frozen=True, slots=True)
class Failing:
    """The part that fails, the operator that makes it fail, and what the backend says of the part."""

    case: Case
    op: str
    message: str


def failing_part(
    bench: Bench, spec: BackendSpec, case: Case, kind: str, message: str
) -> Failing:
    """The shortest prefix of the graph that ends at a quantized tensor and fails as the case does."""
    types, words = tensor_types(case), (message_words(message, case), said_place(message))

    def told(part: Case) -> str | None:
        outcome = bench.run(part, spec)
        how, found = failure_of(outcome)
        if how != kind or not is_suspicious(kind, outcome):
            return None
        same = kind != "refused" or (message_words(found, case), said_place(found)) == words
        return found if same else None

    def inner(name: str) -> str | None:
        return told(cut(case, [name], types))

    *before, last = units(case.proto())
    for unit in before:
        part = cut(case, unit.outputs, types)
        if (found := told(part)) is not None:
            return Failing(part, _op_of(case, unit, inner), found)
    return Failing(case, _op_of(case, last, inner), message)


def _op_of(case: Case, unit: FusedOp, told: Callable[[str], str | None]) -> str:
    """The first operator of the unit whose result cannot be had; of one that fails as a whole the main one.

    What an engine fuses fails at the last of the operators that it takes together.
    """
    nodes = [each for each in case.proto().graph.node if node_id(each) in set(unit.nodes)]
    for node in nodes[:-1]:
        if told(next(filter(None, node.output))) is not None:
            return str(node.op_type)
    last = str(nodes[-1].op_type)
    return main_op(nodes) if last in CONVERSIONS else last
