"""Whether a backend gives one answer to one case, and the first part of a graph where it does not."""

from bisect import bisect_left
from collections.abc import Sequence

import onnx

from corpus.case import Case
from harness.backends.batch import FILLS
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cut import cut, reads, tensor_types
from harness.outcome import Outcome, Values


def is_stable(
    bench: Bench, spec: BackendSpec, case: Case, first: Values, runs: int = 3
) -> bool:
    """Whether the backend gives the same bytes again and again, whatever its memory is filled with.

    What a kernel reads beside its tensors is often the same as long as its process lives.
    """
    again = (bench.run(case, spec) for _ in range(runs))
    apart = (bench.run_apart(case, spec, fill) for fill in FILLS)
    return all(_same_values(first, each) for each in again) and all(
        not isinstance(each, Values) or _same_values(first, each) for each in apart
    )


def _same_values(first: Values, second: Outcome) -> bool:
    return isinstance(second, Values) and all(
        name in second.arrays
        and array.dtype == second.arrays[name].dtype
        and array.tobytes() == second.arrays[name].tobytes()
        for name, array in first.arrays.items()
    )


def unstable_part(bench: Bench, spec: BackendSpec, case: Case) -> Case:
    """The part of the graph that gives the first tensor of which there are several values.

    What reads a tensor that nobody wrote gives another answer each time, too, and is right. All of
    the graph where no shorter beginning of it has several answers.
    """
    nodes, types = case.proto().graph.node, tensor_types(case)

    def differs(last: int) -> bool:
        beginning = cut(case, _ends(nodes[: last + 1]), types)
        outcome = bench.run(beginning, spec)
        return isinstance(outcome, Values) and not is_stable(bench, spec, beginning, outcome)

    first = bisect_left(range(len(nodes) - 1), True, key=differs)
    if first == len(nodes) - 1:
        return case
    return cut(case, [name for name in nodes[first].output if name], types)


def _ends(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """What the nodes make and do not read themselves."""
    read = {name for node in nodes for name in reads(node)}
    return [name for node in nodes for name in node.output if name and name not in read]
