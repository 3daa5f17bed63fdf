"""What fixes a QuantizeLinear or DequantizeLinear: read once from its node, checked in one line."""

from dataclasses import dataclass, field

import numpy as np

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Graph, Node
from engine.kernels.known_shape import Shape, known_shape
from engine.kernels.number_types import (
    BFLOAT16,
    FLOAT_CODES,
    INTEGER_CODES,
    POWER_OF_TWO,
    Dtype,
)
from engine.kernels.operator import Setting
from engine.kernels.quantize_granularity import Granularity, read_granularity
from engine.onnx_tensor import element_dtype, type_name

FLOAT32: Dtype = np.dtype(np.float32)
FLOAT16: Dtype = np.dtype(np.float16)
DIVISION_TYPES = frozenset([FLOAT32, FLOAT16, BFLOAT16])
"""The float types of reals, scales and divisions."""
_SCALES = DIVISION_TYPES | {POWER_OF_TWO, np.dtype(np.int32)}


@dataclass(frozen=True, slots=True)
class QuantizeParameters:
    """One QuantizeLinear; ``scale`` and ``zero_point`` are None where they are computed.

    ``dtype`` is the type of the codes, None where only a computed zero point knows it;
    ``computed_zero_point`` says that there is one; ``precision`` the type that divides, None where the scale's type does.
    ``data`` names the reals in ``graph``.
    """

    granularity: Granularity
    dtype: Dtype | None
    precision: Dtype | None
    saturate: bool
    scale: Array | None
    zero_point: Array | None
    computed_zero_point: bool
    data: str
    graph: Graph = field(compare=False, repr=False)

    @property
    def shape(self) -> Shape | None:
        """That of the data, where the graph fixes it."""
        return known_shape(self.graph, self.data)


@dataclass(frozen=True, slots=True)
class DequantizeParameters:
    """One DequantizeLinear; ``dtype`` is the type of the reals, None where the scale's type is it.

    ``data`` names the codes in ``graph``.
    """

    granularity: Granularity
    dtype: Dtype | None
    scale: Array | None
    zero_point: Array | None
    data: str
    graph: Graph = field(compare=False, repr=False)

    @property
    def shape(self) -> Shape | None:
        """That of the codes, where the graph fixes it."""
        return known_shape(self.graph, self.data)

    @property
    def codes(self) -> Array | None:
        """The codes themselves, None where they are computed."""
        return self.graph.constants.get(self.data)


def read_quantize(node: Node, setting: Setting) -> QuantizeParameters:
    """The record of a QuantizeLinear.

    Raises:
        InvalidModel: attributes that contradict each other, a scale that is no scale.
        Unsupported: codes or a precision of another type.
    """
    given = read_granularity(node, setting.graph.opset)
    zero_point, scale = setting.constant(node.input(2)), setting.constant(node.input(1))
    precision = _type_attribute(node, "precision")
    if precision is not None and precision not in DIVISION_TYPES:
        raise Unsupported(
            f"{given.node}: precision {precision}; use float32, float16, bfloat16"
        )
    if scale is not None:
        check_scale(given.node, scale)
    if zero_point is not None:
        check_codes(given.node, zero_point.dtype)
    dtype = code_type(node, zero_point)
    saturate = node.attributes.get("saturate", 1) != 0
    computed = bool(node.input(2)) and zero_point is None
    data, graph = node.inputs[0], setting.graph
    return QuantizeParameters(
        given, dtype, precision, saturate, scale, zero_point, computed, data, graph
    )


def read_dequantize(node: Node, setting: Setting) -> DequantizeParameters:
    """The record of a DequantizeLinear; raises as `read_quantize`."""
    given = read_granularity(node, setting.graph.opset)
    scale = setting.constant(node.input(1))
    dtype = _type_attribute(node, "output_dtype")
    if dtype is not None and dtype not in DIVISION_TYPES:
        raise Unsupported(
            f"{given.node}: output_dtype {dtype}; use float32, float16, bfloat16"
        )
    if scale is not None:
        check_scale(given.node, scale)
    zero_point = setting.constant(node.input(2))
    return DequantizeParameters(given, dtype, scale, zero_point, node.inputs[0], setting.graph)


def check_scale(where: str, scale: Array) -> None:
    """A scale must be finite and not 0; negative ones are legal.

    Raises:
        InvalidModel: any other.
        Unsupported: a type that is no scale's.
    """
    if scale.dtype not in _SCALES:
        raise Unsupported(f"{where}: a scale of type {scale.dtype}; use float32")
    values = scale.astype(np.float32).reshape(-1)
    usable = np.isfinite(values) & (values != 0)
    if not usable.all():
        raise InvalidModel(
            f"{where}: its scale is {values[~usable][0]}; a scale must be finite and not 0"
        )


def check_codes(where: str, dtype: Dtype) -> None:
    """Unsupported unless QuantizeLinear writes such codes."""
    if dtype not in INTEGER_CODES and dtype not in FLOAT_CODES:
        raise Unsupported(
            f"{where}: codes of type {dtype}; use integers of 2 to 16 bits or floats of 4 to 8"
        )


def code_type(node: Node, zero_point: Array | None) -> Dtype | None:
    """The type of what a QuantizeLinear makes; None where its zero point is computed.

    Raises:
        InvalidModel: ``output_dtype`` says another than the zero point.
        Unsupported: a type of codes that there is none of.
    """
    wanted = _type_attribute(node, "output_dtype")
    if zero_point is not None and wanted not in (None, zero_point.dtype):
        raise InvalidModel(
            f"{node.op} {node.id!r}: output_dtype is {wanted}, the zero point {zero_point.dtype}"
        )
    if zero_point is not None:
        return zero_point.dtype
    if wanted is not None:
        check_codes(f"{node.op} {node.id!r}", wanted)
        return wanted
    return None if node.input(2) else np.dtype(np.uint8)


def _type_attribute(node: Node, name: str) -> Dtype | None:
    number = node.attributes.get(name, 0)
    if not number:
        return None
    found = element_dtype(number) if isinstance(number, int) else None
    if found is None:
        kind = type_name(number) if isinstance(number, int) else repr(number)
        raise Unsupported(f"{node.op} {node.id!r}: {name} {kind} is no type of numbers")
    return found


def division_type(scale: Dtype, precision: Dtype | None) -> Dtype:
    """The type in which x is divided by the scale.

    Source:
        ONNX QuantizeLinear-28: the scale's, unless ``precision`` says another. Integers are divided
        in float64, where no quotient of two int32 errs across a tie; float8e8m0 in float32.
    """
    if precision is not None:
        return precision
    if scale in DIVISION_TYPES:
        return scale
    return np.dtype(np.float64) if scale == np.int32 else FLOAT32
