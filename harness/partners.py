"""Judging without an oracle: what a backend makes of a case binds what it may make of its partner.

Where the oracle speaks it judges the partner like any other case, and the two sets bind both. Here
is what remains: tensors on which the oracle is silent, and codes that may be anything because an
accumulator overflows. There two answers of one backend must be alike, and how much so is derived:

- A graph of operators whose results are whole numbers by the standard's text (``WHOLE``) leaves
  nothing to round: the same operands give the same bits, also of a sum that wraps around. Summed
  in another order this holds where no partial sum leaves the accumulator.
- One requantization rounds the same accumulator times the same factor; implementations round that
  product in float32 or in fixed point, perhaps otherwise in the rest of a vector, which moves a
  value across at most one boundary between codes: two codes differ by one at most, where the
  accumulator is exact, which float32 makes it below 2^24.
- Anything else, and another form (``form``), binds nothing: float sums may differ by their order.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array, Case
from generators.choices import RandomChoices
from generators.illegal import breach_of
from generators.partners import PARTNERS, Claim, Pair, Place, pair_with
from harness.backends.spec import BackendSpec
from harness.oracle import Allowed, Oracle, Silent, Verdict, judge
from harness.outcome import Outcome, Values

Run = Callable[[Case, BackendSpec], Outcome]

MOVING = frozenset(
    {
        *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat"),
        *("Slice", "Split", "Gather", "Pad", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"),
    }
)
SUMMING = frozenset({"ConvInteger", "MatMulInteger"})
REQUANTIZING = frozenset({"QLinearConv", "QLinearMatMul"})
WHOLE = MOVING | SUMMING | {"MaxPool", "Relu", "Clip", "Max", "Min"}
EXACT_SUM = 2**24  # whole numbers up to here are float32 numbers
UNKNOWN_SUM = 2**31
_INTEGERS = frozenset(
    getattr(onnx.TensorProto, f"{sign}INT{bits}")
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
)
_EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_WIDEST = 255 * 255  # a product of two 8-bit codes, each less its zero point
_DIFFERS = "differs from its partner: "
DRAWS = 2  # partners of each kind that are tried
_MOVED = MappingProxyType(
    {
        "samples": ("one sample alone", "samples reversed"),
        "filters": ("filters permuted", "fewer filters", "one group alone"),
        "channels": ("channels permuted", "channels of zeros added"),
        "rows and columns": ("image transposed",),
        "zero point": ("zero point shifted with the data",),
        "operands": ("operands swapped", "parts of a Concat reordered"),
    }
)
"""What a bug hangs on goes by what kinds of partners move: each of them may show the same bug."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A backend's answer to a partner that does not fit its own answer to the original.

    ``verdict`` is the worst by what the answer to the original leaves, codes up to ``margin`` apart.
    """

    spec: BackendSpec
    pair: Pair
    original: Values
    partner: Values
    tensor: str
    margin: int
    verdict: Verdict

    @property
    def pattern(self) -> str:
        """``differs from its partner: filters permuted; ...``."""
        return pattern_of(self.pair.name, self.verdict)

    @property
    def cause(self) -> str:
        """``differs from its partner: other filters``: the same for kinds that move the same."""
        moved = (each for each, kinds in _MOVED.items() if self.pair.name in kinds)
        return f"{_DIFFERS}other {next(moved)}"


def pattern_of(name: str, verdict: Verdict) -> str:
    """The kind of partner, and where the wrong elements sit."""
    return f"{_DIFFERS}{name}; {verdict.pattern}"


def moved_by(cause: str) -> str:
    """What the partners move that a cause tells of; empty where it tells of none."""
    words = f"{_DIFFERS}other "
    return cause.removeprefix(words) if cause.startswith(words) else ""


def first_disagreement(
    run: Run, spec: BackendSpec, case: Case, outcome: Outcome, moved: str = ""
) -> Disagreement | None:
    """The first partner, or the first that moves the given, whose answer does not fit the ``outcome``.

    It depends on the backend and the case alone.
    """
    if not isinstance(outcome, Values):
        return None
    found = (
        disagreement(pair, spec, outcome, run(pair.partner, spec))
        for pair in bound_pairs(case, moved)
    )
    return next((each for each in found if each is not None), None)


def bound_pairs(case: Case, moved: str = "") -> Iterator[Pair]:
    """The case with partners of each kind, or those that move the given, whose answers its own binds."""
    model = case.proto()
    if breach_of(case) or _margin("places", case, model) is None or not _left(case, model):
        return
    seen = {case.digest}
    kinds = _MOVED.get(moved, ())
    for partner in PARTNERS:
        for seed in range(DRAWS if not moved or partner.name in kinds else 0):
            pair = pair_with(partner, case, RandomChoices(seed))
            if pair is not None and pair.partner.digest not in seen and binds(pair):
                seen.add(pair.partner.digest)
                yield pair


def binds(pair: Pair) -> bool:
    """Whether an answer to the one binds the answer to the other beyond what the oracle says."""
    return bool(_margins(pair))


def disagreement(
    pair: Pair, spec: BackendSpec, original: Outcome, partner: Outcome
) -> Disagreement | None:
    """What is wrong with two answers of one backend taken together, if anything is."""
    if not isinstance(original, Values) or not isinstance(partner, Values):
        return None
    for name, (margin, is_free) in _margins(pair).items():
        array, place = original.arrays.get(name), pair.places.get(name, Place())
        if array is None or not _is_comparable(array, place, is_free):
            continue
        bound = None if is_free is None else place.of(is_free)
        allowed = _around(name, place.of(array), margin, bound)
        verdict = judge(allowed, partner.arrays.get(name))
        if verdict.is_wrong:
            return Disagreement(spec, pair, original, partner, name, margin, verdict)
    return None


def fit(pair: Pair, spec: BackendSpec, original: Outcome, partner: Outcome) -> str:
    """The verdict on two answers in one word; ``silent`` where one does not bind the other."""
    if not isinstance(partner, Values) or not binds(pair):
        return "silent"
    found = disagreement(pair, spec, original, partner)
    return found.verdict.kind if found else "exact"


def left_by_partner(found: Disagreement) -> dict[str, Allowed]:
    """What the answer to the partner leaves to the original's, in the shape of that.

    Elements that the partner does not have may be anything, and so may all where its answer has
    another type or shape.
    """
    sets = {}
    for name, (margin, is_free) in _margins(found.pair).items():
        array, place = found.original.arrays.get(name), found.pair.places.get(name, Place())
        if array is None or not _is_comparable(array, place, is_free):
            continue
        codes = array.astype(np.int64)
        bound = np.zeros(array.shape, bool)
        at = place.of(np.arange(array.size).reshape(array.shape))
        theirs = found.partner.arrays.get(name)
        if theirs is not None and (theirs.dtype, theirs.shape) == (array.dtype, at.shape):
            codes.reshape(-1)[at] = theirs
            bound.reshape(-1)[at] = True
        if is_free is not None:
            bound &= is_free
        sets[name] = _around(name, codes.astype(array.dtype), margin, bound)
    return sets


def _is_comparable(array: Array, place: Place, is_free: Array | None) -> bool:
    """Whether an answer, which no judge has seen, has codes and the places that are asked for."""
    try:
        place.of(array)
    except (IndexError, ValueError):
        return False
    fits = is_free is None or is_free.shape == array.shape
    return fits and array.dtype.kind in "iu" and array.dtype != np.uint64


def _margins(pair: Pair) -> dict[str, tuple[int, Array | None]]:
    """By output: the codes that two answers may be apart, and where (None: everywhere)."""
    model = pair.original.proto()
    margin = _margin(pair.claim, pair.original, model)
    if margin is None:
        return {}
    left = _left(pair.original, model)
    is_spoken_of = any(each is not None for each in left.values())
    if is_spoken_of and (margin or pair.claim != "places"):
        return {}  # an accumulator that overflows is not exact
    return {name: (margin, mask) for name, mask in left.items()}


def _left(case: Case, model: onnx.ModelProto) -> dict[str, Array | None]:
    """By output, where the oracle leaves every code: None is everywhere, for it is silent."""
    try:
        sets = Oracle(model).allowed(case.inputs)
    except Silent:
        return {each.name: None for each in model.graph.output}
    free = {name: _free(each) for name, each in sets.items()}
    return {name: mask for name, mask in free.items() if mask.any()}


def _margin(claim: Claim, case: Case, model: onnx.ModelProto) -> int | None:
    """How many codes two answers may be apart; None where nothing is said."""
    graph = model.graph
    ops = [node.op_type if not node.domain else "" for node in graph.node]
    types = {each.type.tensor_type.elem_type for each in graph.output}
    kinds = {each.dtype.kind for each in case.inputs.values()}
    if claim == "form" or not types <= _INTEGERS or kinds - {*"iu"}:
        return None
    if WHOLE.issuperset(ops):
        return 0 if claim == "places" or _largest_sum(model) < UNKNOWN_SUM else None
    rounds = sum(op in REQUANTIZING for op in ops)
    if rounds == 1 and (MOVING | REQUANTIZING).issuperset(ops):
        return 1 if _largest_sum(model) < EXACT_SUM else None
    return None


def _largest_sum(model: onnx.ModelProto) -> int:
    """A bound of every partial sum of products, and of the bias on top; 2^31 where there is none."""
    constants = {each.name: each for each in model.graph.initializer}
    nodes = (each for each in model.graph.node if each.op_type in REQUANTIZING | SUMMING)
    return max((_sum_of(node, constants) for node in nodes), default=0)


def _sum_of(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> int:
    w = constants.get(node.input[3 if node.op_type in REQUANTIZING else 1])
    if w is None or w.data_type not in _EIGHT_BITS:
        return UNKNOWN_SUM
    terms = prod(w.dims[1:]) if "Conv" in node.op_type else w.dims[-2]
    if node.op_type != "QLinearConv" or len(node.input) < 9 or not node.input[8]:
        return int(terms) * _WIDEST
    bias = constants.get(node.input[8])
    if bias is None:
        return UNKNOWN_SUM
    codes = numpy_helper.to_array(bias).astype(np.int64)
    return int(terms) * _WIDEST + int(np.abs(codes).max(initial=0))


def _free(allowed: Allowed) -> Array:
    """Where every code of the type is allowed."""
    if allowed.dtype.kind not in "iu":
        return np.zeros(allowed.low.shape, bool)
    low, high = _ends(allowed.dtype)
    return np.asarray((allowed.low <= low) & (allowed.high >= high))


def _around(name: str, codes: Array, margin: int, bound: Array | None) -> Allowed:
    """The codes up to ``margin`` from these; any where they are not bound (None: they all are)."""
    centre = codes.astype(np.int64)
    first, last = _ends(codes.dtype)
    low, high = np.maximum(centre - margin, first), np.minimum(centre + margin, last)
    if bound is not None:
        low, high = np.where(bound, low, first), np.where(bound, high, last)
    slack = float(np.mean(low < high)) if low.size else 0.0
    return Allowed(name, codes.dtype, low, centre, high, centre, 1.0, slack)


def _ends(dtype: np.dtype[Any]) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)
