"""From a spec to the case: one operator between Q and DQ, or on codes."""

from collections.abc import Mapping, Sequence
from math import prod
from types import MappingProxyType

import numpy as np

from corpus.case import Array, Case
from generators import arrays, wire
from generators.builder import OUTPUT_DTYPE_OPSET, GraphBuilder, Pair
from generators.operators.node.spec import Attribute, NodeSpec, Operand

CONTRIB = "com.microsoft"

LAYOUTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "QLinearMatMul": ("", "0 0s 0z 1 1s 1z ys yz"),
        "MatMulInteger": ("", "0 1 0z 1z"),
        "ConvInteger": ("", "0 1 0z 1z"),
        "QLinearAdd": (CONTRIB, "0 0s 0z 1 1s 1z ys yz"),
        "QLinearMul": (CONTRIB, "0 0s 0z 1 1s 1z ys yz"),
        "QLinearSigmoid": (CONTRIB, "0 0s 0z ys yz"),
        "QLinearLeakyRelu": (CONTRIB, "0 0s 0z ys yz"),
        "QLinearSoftmax": (CONTRIB, "0 0s 0z ys yz"),
        "QLinearAveragePool": (CONTRIB, "0 0s 0z ys yz"),
        "QLinearGlobalAveragePool": (CONTRIB, "0 0s 0z ys yz"),
        "QLinearConcat": (CONTRIB, "ys yz 0 0s 0z 1 1s 1z 2 2s 2z"),
        "QLinearWhere": (CONTRIB, "0 1 1s 1z 2 2s 2z ys yz"),
        "QGemm": (CONTRIB, "0 0s 0z 1 1s 1z 2 ys yz"),
        "MatMulIntegerToFloat": (CONTRIB, "0 1 0s 1s 0z 1z"),
        "DynamicQuantizeMatMul": (CONTRIB, "0 1 1s 1z"),
    }
)
"""Operators on codes: their domain, and their inputs (operand, its scale, its zero point; y)."""


def operator_of(form: str) -> str:
    """The operator that a form on codes computes."""
    if "MatMul" in form:
        return "MatMul"
    return {"QGemm": "Gemm", "ConvInteger": "Conv"}.get(form, form.removeprefix("QLinear"))


def build(spec: NodeSpec) -> Case:
    """The case of a spec; tensors are named after operands and results."""
    graph = GraphBuilder(
        spec.opset, zero_points_written=spec.zero_points_written, spelled=spec.spelled
    )
    if spec.form == "QDQ":
        _qdq(graph, spec)
    else:
        _on_codes(graph, spec)
    return graph.case()


def values(operand: Operand) -> Array:
    """The codes or plain values of an operand."""
    if operand.array is not None:
        return operand.array
    if operand.dtype == "float32":
        code = arrays.codes(operand.kind, operand.seed, operand.shape, "int8", 0)
        return arrays.reals(code, 0, 1 / 32, "random", operand.seed)
    if operand.dtype in arrays.LOWEST:
        zero = operand.zero_points[0]
        return arrays.codes(operand.kind, operand.seed, operand.shape, operand.dtype, zero)
    return _other_codes(operand)


def _other_codes(operand: Operand) -> Array:
    """Codes that are floats; of 4, 16 or 32 bits: all lowest or all highest, else uniform."""
    if operand.dtype.startswith("float8"):
        noise = np.frombuffer(arrays.noise(operand.seed, prod(operand.shape)), np.int8)
        return noise.astype(wire.code_dtype(operand.dtype)).reshape(operand.shape)
    bits = {"int4": 4, "uint4": 4, "int32": 12}.get(operand.dtype, 16)
    low = -(1 << bits - 1) if operand.dtype.startswith("int") else 0
    dtype = wire.code_dtype(operand.dtype)
    if operand.kind == "all-extremes":
        code = low if operand.seed % 2 else low + (1 << bits) - 1
        return np.full(operand.shape, code, np.int32).astype(dtype)
    size = int(np.prod(operand.shape))
    raw = np.frombuffer(arrays.noise(operand.seed, 2 * size), np.uint16) >> (16 - bits)
    return (raw.astype(np.int32) + low).astype(dtype).reshape(operand.shape)


def _qdq(graph: GraphBuilder, spec: NodeSpec) -> None:
    reals = [
        _real(graph, each, enters_real=spec.x_float and i == 0)
        for i, each in enumerate(spec.operands)
    ]
    made = tuple(
        f"{each.name}r" if each.is_quantized or (spec.tails and i == 0) else each.name
        for i, each in enumerate(spec.results)
    )
    if spec.op:
        graph.foreign(spec.op, "n1", reals, made, _attributes(spec.attributes))
    else:
        made = tuple(reals)
    for i, (each, real) in enumerate(zip(spec.results, made, strict=True)):
        if not each.is_read:
            continue
        _leave(graph, spec, each, _tailed(graph, spec, real) if i == 0 else real, i == 0)


def _real(graph: GraphBuilder, operand: Operand, *, enters_real: bool) -> str:
    name = _entered(graph, operand, enters_real=enters_real)
    if not operand.is_quantized:
        return name
    pair = pair_of(graph, operand)
    output = f"{operand.name}r"
    attributes = [*_axis(operand), *_spelled(graph, "DequantizeLinear", pair, operand)]
    graph.foreign(
        "DequantizeLinear", f"d{operand.name}", _with(name, pair), (output,), attributes
    )
    return output


def _spelled(graph: GraphBuilder, op: str, pair: Pair, tensor: Operand) -> list[bytes]:
    """What a conversion says of itself though it is the default."""
    free = tensor.axis is None and len(tensor.shape) > 1
    return graph.spelled(op, pair, has_axis=not free, has_blocks=bool(tensor.block_size))


def _entered(graph: GraphBuilder, operand: Operand, *, enters_real: bool) -> str:
    """The operand as an initializer or a graph input, quantized where it enters as reals."""
    array = values(operand)
    if not operand.name:
        return ""
    if operand.constant:
        return graph.array(operand.name, array)
    if not (enters_real and operand.is_quantized):
        return graph.input(operand.name, array)
    zero, scale = operand.zero_points[0], operand.scales[0]
    if array.dtype != np.float32:
        array = arrays.reals(array, zero, scale, "random", operand.seed)
    graph.input(operand.name, array)
    pair = pair_of(graph, operand, "q")
    spelled = _spelled(graph, "QuantizeLinear", pair, operand)
    return graph.quantize(f"q{operand.name}", operand.name, pair, f"{operand.name}q", spelled)


def pair_of(graph: GraphBuilder, operand: Operand, suffix: str = "") -> Pair:
    """Scale and zero point of an operand as initializers."""
    shape, name = operand.parameters_shape, operand.name + suffix
    graph.array(f"{name}s", _in_shape(operand.scales, np.dtype(np.float32), shape))
    dtype = operand.dtype
    default = dtype == "uint8" or graph.opset >= OUTPUT_DTYPE_OPSET
    if default and not graph.zero_points_written and not any(operand.zero_points):
        return Pair(f"{name}s", "", dtype)
    zeros = _in_shape(operand.zero_points, wire.code_dtype(dtype), shape)
    return Pair(f"{name}s", graph.array(f"{name}z", zeros), dtype)


def _in_shape(
    values: Sequence[float], dtype: np.dtype[np.generic], shape: tuple[int, ...]
) -> Array:
    """The values as often as the shape needs them; only repeating them costs more than a call."""
    array = np.array(values).astype(dtype)
    return array.reshape(shape) if array.size == prod(shape) else np.resize(array, shape)


def _with(name: str, pair: Pair) -> list[str]:
    return [name, pair.scale, pair.zero] if pair.zero else [name, pair.scale]


def _axis(operand: Operand) -> list[bytes]:
    if operand.axis is None:
        return []
    axis = [wire.integer("axis", operand.axis)]
    return (
        [*axis, wire.integer("block_size", operand.block_size)] if operand.block_size else axis
    )


def _tailed(graph: GraphBuilder, spec: NodeSpec, real: str) -> str:
    before = real
    for i, tail in enumerate(spec.tails):
        ends_real = i == len(spec.tails) - 1 and not spec.results[0].is_quantized
        output = spec.results[0].name if ends_real else f"t{i}"
        constants = [
            graph.array(f"t{i}_{j}", np.array(each if len(each) > 1 else each[0], np.float32))
            for j, each in enumerate(tail.constants)
        ]
        inputs = [before, real] if tail.twice else [real, *constants]
        graph.foreign(tail.op, f"a{i}", inputs, (output,), _attributes(tail.attributes))
        before, real = real, output
    return real


def _leave(
    graph: GraphBuilder, spec: NodeSpec, result: Operand, real: str, first: bool
) -> None:
    """A result as an output of the graph: codes, reals, or what the node makes."""
    if not result.is_quantized:
        graph.output(result.name, result.dtype, result.shape)
        return
    pair = pair_of(graph, result)
    leaves_real = spec.y_float and first
    codes = f"{result.name}q" if leaves_real else result.name
    attributes = _axis(result)
    if not pair.zero and pair.dtype != "uint8":
        attributes.append(wire.integer("output_dtype", wire.ELEMENT_TYPES[pair.dtype]))
    attributes += _spelled(graph, "QuantizeLinear", pair, result)
    graph.foreign("QuantizeLinear", f"q{result.name}", _with(real, pair), (codes,), attributes)
    if leaves_real:
        inputs = _with(codes, pair)
        attributes = [*_axis(result), *_spelled(graph, "DequantizeLinear", pair, result)]
        graph.foreign(
            "DequantizeLinear", f"d{result.name}", inputs, (result.name,), attributes
        )
    graph.output(result.name, "float32" if leaves_real else result.dtype, result.shape)


def _on_codes(graph: GraphBuilder, spec: NodeSpec) -> None:
    domain, layout = LAYOUTS[spec.form]
    graph.zero_points_written = True  # inputs are told by their place
    names: dict[str, str] = {}
    for letter, each in [
        *((str(i), o) for i, o in enumerate(spec.operands)),
        ("y", spec.results[0]),
    ]:
        if letter != "y":
            names[letter] = _entered(graph, each, enters_real=False)
        if each.is_quantized:
            pair = pair_of(graph, each)
            names[f"{letter}s"], names[f"{letter}z"] = pair.scale, pair.zero
    inputs = [names.get(each, "") for each in layout.split()]
    while inputs and not inputs[-1]:
        inputs.pop()
    outputs = tuple(each.name for each in spec.results)
    graph.foreign(spec.form, "n1", inputs, outputs, _attributes(spec.attributes), domain)
    for each in spec.results:
        graph.output(each.name, each.dtype, each.shape)


def _attributes(given: Sequence[tuple[str, Attribute]]) -> list[bytes]:
    return [_attribute(name, value) for name, value in given]


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, tuple):
        return wire.ints(name, value)
    if isinstance(value, str):
        return wire.text(name, value)
    return wire.integer(name, value) if isinstance(value, int) else wire.real(name, value)
