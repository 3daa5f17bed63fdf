"""Whether a backend gives one answer to one case, and the first part of a graph where it does not."""

from corpus.case import Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.cut import cut, tensor_types
from harness.outcome import Outcome, Values


def is_stable(
    bench: Bench, spec: BackendSpec, case: Case, first: Values, runs: int = 3
) -> bool:
    """Whether the backend gives the same bytes again and again, and in another process.

    What a kernel reads beside its tensors is often the same as long as its process lives.
    """
    if not all(_same_values(first, bench.run(case, spec)) for _ in range(runs)):
        return False
    apart = bench.run_apart(case, spec)
    return not isinstance(apart, Values) or _same_values(first, apart)


def _same_values(first: Values, second: Outcome) -> bool:
    return isinstance(second, Values) and all(
        name in second.arrays
        and array.dtype == second.arrays[name].dtype
        and array.tobytes() == second.arrays[name].tobytes()
        for name, array in first.arrays.items()
    )


def unstable_part(bench: Bench, spec: BackendSpec, case: Case) -> Case:
    """The shortest prefix of the graph to which there are several answers; all of it where no part has.

    What reads a tensor that nobody wrote gives another answer each time, too, and is right.
    """
    nodes, types = case.proto().graph.node, tensor_types(case)
    for node in nodes[:-1]:
        part = cut(case, [name for name in node.output if name], types)
        outcome = bench.run(part, spec)
        if isinstance(outcome, Values) and not is_stable(bench, spec, part, outcome):
            return part
    return case
