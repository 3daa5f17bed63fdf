"""The problem that every pass works on: the smallest failing case so far, and how to beat it."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array, Case
from harness.reduce.tidy import is_valid, tidy

Pass = Callable[["Problem"], None]
SizeKey = tuple[int, int, int, int, float, int]


class OutOfTimeError(Exception):
    """The budget is spent; the best case so far stands."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """The smallest case found, how often ``still_fails`` was asked, and the wall time."""

    case: Case
    checks: int
    seconds: float


def magnitude(array: Array) -> float:
    """What an array costs a reader: ``sum |v|`` of integers, significant bits of floats.

    A float counts its mantissa bits up to the last one set, plus its exponent's distance from 0,
    so that 1.0 is simpler than 0.5, and 0.5 simpler than 0.1.
    """
    if array.dtype.kind in "iub":
        return float(np.abs(array.astype(np.int64)).sum())
    if array.dtype.kind != "f":
        return float(array.size)
    values = array.astype(np.float64).ravel()
    values = values[np.isfinite(values) & (values != 0)]
    mantissa, exponent = np.frexp(values)
    digits = (np.abs(mantissa) * 2.0**53).astype(np.int64)
    bits = 53 - np.log2((digits & -digits).astype(np.float64))
    return float((bits + np.abs(exponent - 1)).sum())


def size_key(case: Case) -> SizeKey:
    """Total order on results: compute nodes, nodes, bytes, elements, magnitudes, opset.

    A strict order gives one bug one smallest case, whatever way led there.
    """
    model = case.proto()
    nodes = [*_every_node(model.graph)]
    compute = sum(node.op_type not in ("QuantizeLinear", "DequantizeLinear") for node in nodes)
    arrays = [*case.inputs.values(), *map(numpy_helper.to_array, model.graph.initializer)]
    elements = sum(array.size for array in case.inputs.values())
    opset = sum(each.version for each in model.opset_import)
    cost = sum(map(magnitude, arrays))
    return (compute, len(nodes), len(case.model), elements, cost, opset)


def _every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _every_node(attribute.g)


class Problem:
    """The best case so far, and ``offer``: take a candidate if it is smaller and still fails.

    An invalid, larger or already asked candidate never reaches ``still_fails``, which is the
    expensive part. ``values`` are the original case's intermediate tensors, as far as known.
    """

    def __init__(
        self,
        case: Case,
        still_fails: Callable[[Case], bool],
        *,
        culprit: Collection[str] = (),
        values: Mapping[str, Array] | None = None,
        deadline: float = float("inf"),
    ) -> None:
        self.best = case
        self.culprit = frozenset(culprit)
        self.values: Mapping[str, Array] = values or {}
        self.checks = 0
        self._still_fails = still_fails
        self._deadline = deadline
        self._key = size_key(case)
        self._asked: set[str] = {case.digest}

    def offer(self, candidate: Case) -> bool:
        """Keep ``candidate`` as the best case, if it is valid, smaller and still fails."""
        if time.monotonic() > self._deadline:
            raise OutOfTimeError
        digest = candidate.digest
        if digest in self._asked:
            return False
        self._asked.add(digest)
        key = size_key(candidate)
        if key >= self._key or not is_valid(candidate):
            return False
        self.checks += 1
        if not self._still_fails(candidate):
            return False
        self.best, self._key = candidate, key
        return True

    def offer_graph(self, model: onnx.ModelProto, inputs: Mapping[str, Array]) -> bool:
        """Offer a changed model after removing what it no longer uses; ``model`` is consumed."""
        candidate = tidy(model, inputs, origin=self.best.origin)
        return candidate is not None and self.offer(candidate)


def lower(start: int, least: int, accepts: Callable[[int], bool]) -> int:
    """The smallest number found by a bold jump to ``least``, then bisection, then one by one.

    ``accepts`` need not be monotone: what is returned was accepted (or is ``start``), and the
    number right below it was not.
    """
    if start <= least or accepts(least):
        return min(start, least)
    low, high = least, start
    while high - low > 1:
        middle = (low + high) // 2
        if accepts(middle):
            high = middle
        else:
            low = middle
    return high
