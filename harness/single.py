"""The operators of a case, each by itself on the exact values of its inputs."""

from collections.abc import Iterator

from corpus.case import Case
from harness.cut import cut, exact_tensors, reads
from harness.observe import CONVERSIONS

PASSING_ON = (*CONVERSIONS, "Identity", "If")


def each_operator(case: Case) -> Iterator[Case]:
    """Every operator that does more than convert, in order; nothing where one is all there is."""
    nodes = list(case.proto().graph.node)
    acting = [each for each in nodes if each.op_type not in PASSING_ON]
    if len(nodes) < 2 or not acting:
        return
    values = exact_tensors(case)
    for node in acting:
        fed = {name: values[name] for name in reads(node) if name in values}
        yield cut(case, [name for name in node.output if name], fed=fed)
