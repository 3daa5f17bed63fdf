"""A part of a large operation that is wrong too: what can be said of it is said in less time."""

from dataclasses import dataclass

import numpy as np
import onnx

from corpus.case import Array, Case
from harness.backends.spec import BackendSpec
from harness.bench import Bench
from harness.oracle import Allowed, Oracle, Silent, is_outside
from harness.outcome import Values

LARGE = 1 << 16
"""Elements of all inputs together, from which on a part is looked at."""

SIDES = (24, 56)
"""Sizes that the axes of an image, or all axes of other inputs, are cut down to."""


@dataclass(frozen=True, slots=True)
class Part:
    """A smaller case, what the backend makes of it, and what it may; some of it is wrong."""

    case: Case
    actual: dict[str, Array]
    allowed: dict[str, Allowed]


def cropped(bench: Bench, spec: BackendSpec, case: Case) -> Part | None:
    """The smallest part of a large case on which the backend is wrong; None if there is none."""
    if sum(array.size for array in case.inputs.values()) < LARGE:
        return None
    for side in SIDES:
        part = _judged(bench, spec, _crop(case, side))
        if part is not None:
            return part
    return None


def _crop(case: Case, side: int) -> Case:
    """The first rows and columns of every input; the model without the shapes that were inferred."""
    model = case.proto()
    inputs = {name: _corner(array, side) for name, array in case.inputs.items()}
    for info in model.graph.input:
        for axis, size in zip(
            info.type.tensor_type.shape.dim, inputs[info.name].shape, strict=True
        ):
            axis.dim_value = size
    for info in model.graph.output:
        info.type.tensor_type.ClearField("shape")
    return case.with_model(model).with_inputs(inputs)


def _corner(array: Array, side: int) -> Array:
    first = 2 if array.ndim > 2 else 0
    kept = tuple(
        slice(0, side if axis >= first else size) for axis, size in enumerate(array.shape)
    )
    return np.ascontiguousarray(array[kept])


def _judged(bench: Bench, spec: BackendSpec, case: Case) -> Part | None:
    try:
        onnx.shape_inference.infer_shapes(case.proto(), strict_mode=True)
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except (Silent, onnx.shape_inference.InferenceError):
        return None
    outcome = bench.run(case, spec)
    if not isinstance(outcome, Values) or not allowed.keys() <= outcome.arrays.keys():
        return None
    actual = {name: outcome.arrays[name] for name in allowed}
    fits = all(actual[name].shape == each.low.shape for name, each in allowed.items())
    if fits and any(is_outside(each, actual[name]).any() for name, each in allowed.items()):
        return Part(case, actual, allowed)
    return None
