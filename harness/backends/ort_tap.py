"""Taps of onnxruntime: its own optimized graph, dumped, and run again with nothing optimized."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime

from harness.backends import ort_tensors
from harness.backends.ort_mapping import Mapping
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    from harness.backends.protocol import Array


def optimized(model: bytes, settings: Any, disabled: list[str] | None) -> onnx.ModelProto:
    """The graph that onnxruntime runs for these settings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        settings.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            model, settings, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
        )
        return onnx.ModelProto.FromString(path.read_bytes())


def tapped(
    model: bytes, graph: onnx.ModelProto, inputs: dict[str, Array], untapped: dict[str, Array]
) -> dict[str, Any]:
    """Arrays and plan in the source's words; confirmed by bit-equal final outputs.

    Raises:
        Limit: onnxruntime cannot load what it wrote.
    """
    values = _all_tensors(graph, inputs)
    dtypes = {name: array.dtype for name, array in values.items()}
    mapping = Mapping(_closed(model, inputs), graph, dtypes)
    confirmed = all(
        name in values and _same_bits(values[name], array) for name, array in untapped.items()
    )
    arrays = dict(inputs)
    for name, array in values.items():
        arrays.update(mapping.source_array(name, array))
    return {
        "arrays": arrays,
        "plan": mapping.plan(),
        "method": "optimized graph",
        "confirmed": confirmed,
    }


def _closed(model: bytes, inputs: dict[str, Array]) -> onnx.ModelProto:
    """The model with the sizes of these inputs where it leaves sizes open."""
    closed = onnx.ModelProto.FromString(model)
    for each in closed.graph.input:
        if each.name in inputs:
            dims = each.type.tensor_type.shape.dim
            for place, size in enumerate(inputs[each.name].shape[: len(dims)]):
                dims[place].dim_value = size
    for each in closed.graph.output:
        each.type.tensor_type.ClearField("shape")  # inferred anew
    return closed


def _same_bits(one: Array, other: Array) -> bool:
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and one.tobytes() == other.tobytes()
    )


def _all_tensors(graph: onnx.ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    own = [each.name for each in graph.graph.output]
    for node in graph.graph.node:
        for name in node.output:
            if name and name not in own:
                graph.graph.output.add().name = name
    revealing = graph.SerializeToString()
    del graph.graph.output[len(own) :]
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 4
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            revealing, settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise Limit(f"its optimized graph cannot be run again: {error}") from error
    return ort_tensors.run(session, inputs)
