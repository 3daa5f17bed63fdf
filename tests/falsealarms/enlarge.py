"""Larger data for the same model: judging a thousand elements costs little more than judging one."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import shape_inference

from corpus.case import Array, Case


def shuffled(inputs: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """The same values in other places, so that halves of a step stay what they are."""
    return {name: _permuted(array, rng) for name, array in inputs.items()}


def enlargements(case: Case, times: int, rng: np.random.Generator) -> Iterator[Case]:
    """The case with longer inputs, where its model's shapes fit them; last the case itself.

    First all inputs are ``times`` as long along their first axis (a batch), then one of them; then
    the same along the last axis (a row).
    """
    names = list(case.inputs)
    choices = [names, *([each] for each in names if len(names) > 1)]
    for axis in (0, -1):
        for chosen in choices:
            model = _longer(case.proto(), chosen, axis, times)
            if model is not None:
                inputs = {
                    name: _repeated(array, axis, times, rng) if name in chosen else array
                    for name, array in case.inputs.items()
                }
                yield case.with_model(model).with_inputs(inputs)
    yield case


def _permuted(array: Array, rng: np.random.Generator) -> Array:
    return rng.permutation(array.reshape(-1)).reshape(array.shape)


def _repeated(array: Array, axis: int, times: int, rng: np.random.Generator) -> Array:
    more = [_permuted(array, rng) for _ in range(times - 1)]
    return np.concatenate([array, *more], axis=axis)


def _longer(
    model: onnx.ModelProto, names: list[str], axis: int, times: int
) -> onnx.ModelProto | None:
    """None where the model's shapes say that it cannot be."""
    graph = model.graph
    for each in graph.input:
        if each.name in names:
            sizes = each.type.tensor_type.shape.dim
            if not len(sizes) or not sizes[axis].dim_value:
                return None
            sizes[axis].dim_value *= times
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        return shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (shape_inference.InferenceError, ValueError):
        return None
