"""Passes that make tensors smaller and plainer in any graph: pixels, batch, codes, scales."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import onnx
from onnx import numpy_helper

from corpus.case import Array
from harness.reduce.problem import Problem, lower, magnitude

SMALL_CODES = 7


def crop_inputs(problem: Problem) -> None:
    """Crop batch and pixels of every input: to one, else by bisection, axis by axis."""
    ranks = [array.ndim for array in problem.best.inputs.values()]
    axes = [axis for axis in range(max(ranks, default=0)) if axis != 1]
    if len(axes) > 1 and _offer_crop(problem, dict.fromkeys(axes, 1)):
        return
    for axis in axes:
        lower(_longest(problem, axis), 1, partial(_offer_axis, problem, axis))


def plain_inputs(problem: Problem) -> None:
    """Make each input's values plain."""
    for name in problem.best.inputs:
        for array in simpler(problem.best.inputs[name]):
            if problem.offer(problem.best.with_inputs({**problem.best.inputs, name: array})):
                break


def plain_constants(problem: Problem) -> None:
    """Make the values of each initializer plain; shapes, axes and the like are left alone."""
    everything = {name: next(plain, None) for name, plain in _plain_constants(problem)}
    if len(everything) > 1 and _offer_constants(problem, everything):
        return
    for name, arrays in _plain_constants(problem):
        for array in arrays:
            if _offer_constants(problem, {name: array}):
                break


def simpler(array: Array) -> Iterator[Array]:
    """Plainer arrays of the same shape and dtype, plainest first.

    A positive float array, which may be a scale, stays positive.
    """
    kind = array.dtype.kind
    ways = _FLAG_WAYS if kind == "b" else _CODE_WAYS
    if kind not in "iub":
        ways = _SCALE_WAYS if (array > 0).all() else _REAL_WAYS
    cost = magnitude(array)
    for way in ways:
        plain = way(array).astype(array.dtype)
        if magnitude(plain) < cost:
            yield plain


def _one_hot(array: Array) -> Array:
    """One 1, where the largest value is."""
    plain = np.zeros_like(array)
    plain.flat[int(np.argmax(np.abs(array.astype(np.float64))))] = 1
    return plain


def _half(keep: slice) -> Callable[[Array], Array]:
    def zero_the_rest(array: Array) -> Array:
        plain = np.zeros_like(array)
        plain.reshape(-1)[keep] = array.reshape(-1)[keep]
        return plain

    return zero_the_rest


def _power_of_two(array: Array) -> Array:
    powers: Array = np.exp2(np.rint(np.log2(array.astype(np.float64))))
    return powers


_CODE_WAYS: tuple[Callable[[Array], Array], ...] = (
    np.zeros_like,
    _one_hot,
    np.sign,
    np.ones_like,
    lambda array: np.clip(array, 0 if array.dtype.kind == "u" else -SMALL_CODES, SMALL_CODES),
    lambda array: np.where(
        array == array.flat[np.argmax(np.abs(array.astype(int)))], array, 0
    ),
    _half(slice(0, None, 2)),
    _half(slice(1, None, 2)),
)
_FLAG_WAYS: tuple[Callable[[Array], Array], ...] = (np.zeros_like, _one_hot)
_SCALE_WAYS: tuple[Callable[[Array], Array], ...] = (np.ones_like, _power_of_two)
_REAL_WAYS: tuple[Callable[[Array], Array], ...] = (
    np.zeros_like,
    _one_hot,
    np.ones_like,
    np.sign,
    np.rint,
    lambda array: np.rint(array * 8) / 8,
)


def _longest(problem: Problem, axis: int) -> int:
    return max(
        (a.shape[axis] for a in problem.best.inputs.values() if a.ndim > axis), default=1
    )


def _offer_crop(problem: Problem, sizes: Mapping[int, int]) -> bool:
    """Offer every input cropped along each axis; equal lengths stay equal (residual branches)."""
    inputs = {}
    for name, array in problem.best.inputs.items():
        cut = [slice(sizes.get(axis)) for axis in range(array.ndim)]
        inputs[name] = np.ascontiguousarray(array[tuple(cut)])
    return problem.offer_graph(problem.best.proto(), inputs)


def _offer_axis(problem: Problem, axis: int, size: int) -> bool:
    return _offer_crop(problem, {axis: size})


def _plain_constants(problem: Problem) -> Iterator[tuple[str, Iterator[Array]]]:
    for tensor in problem.best.proto().graph.initializer:
        if tensor.data_type not in (onnx.TensorProto.INT64, onnx.TensorProto.STRING):
            array = numpy_helper.to_array(tensor)
            if array.size and array.dtype.kind in "iuf":
                yield tensor.name, simpler(array)


def _offer_constants(problem: Problem, arrays: Mapping[str, Array | None]) -> bool:
    model = problem.best.proto()
    for tensor in model.graph.initializer:
        array = arrays.get(tensor.name)
        if array is not None:
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return problem.offer_graph(model, problem.best.inputs)
