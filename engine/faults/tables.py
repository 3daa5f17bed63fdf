"""Faults of tables: what is looked up, at which index, and how its entries were made."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, fused_multiply_add, round_half_away
from engine.faults.combination_casts import Affine, multiply_and_add
from engine.faults.fault import Fault
from engine.faults.rounding import quantize_with_zero_point_inside
from engine.faults.roundings import (
    Move,
    cast_then_moved,
    clipped_then_moved,
    half_up,
    wrap_between,
)
from engine.ir import Array, Graph, Node
from engine.kernels.operator import Setting
from engine.kernels.operators import OPERATORS
from engine.kernels.stages import correct_stages
from engine.kernels.table import (
    Dtype,
    TableParameters,
    by_bytes,
    every_code,
    fill_table,
)
from engine.profiles import PROFILES
from engine.profiles.elementwise import TableRule
from engine.profiles.quantization import Scale, divide

_F = np.float32


def by_unsigned_index(table: Array, dtype: Dtype) -> Array:
    """The entry of the lowest code at byte 0, as if int8 codes were 128 less than their bytes."""
    return table


def codes_of_255_steps(dtype: Dtype) -> Array:
    """256 numbers from -127 to 127, truncated to int8: 0 comes twice, half of them are one off."""
    if dtype != np.int8:
        return every_code(dtype)
    return np.linspace(-127, 127, 256).astype(np.int8)


def without_x_zero_point(p: TableParameters) -> TableParameters:
    """``xz = 0``."""
    return replace(p, x_zero_point=0)


def with_scales_swapped(p: TableParameters) -> TableParameters:
    """``xs`` for ``ys``, and the other way round."""
    return replace(p, x_scale=p.y_scale, y_scale=p.x_scale)


def with_scale_of_x(p: TableParameters) -> TableParameters:
    """``ys = xs``."""
    return replace(p, y_scale=p.x_scale)


def leaky_as_relu(p: TableParameters) -> Graph:
    """``max(x, 0)`` for every LeakyRelu and PRelu."""
    nodes = [
        Node(each.id, "Relu", each.inputs[:1], each.outputs, {})
        if each.op in ("LeakyRelu", "PRelu")
        else each
        for each in p.chain.nodes
    ]
    return replace(p.chain, nodes=tuple(nodes))


def relu_from_code_zero(p: TableParameters) -> Graph:
    """Relu keeps what is above code 0 of the output."""
    constants = {**p.chain.constants, "#zero": np.asarray(real_of(0, p))}
    nodes = [
        Node(each.id, "Max", (*each.inputs, "#zero"), each.outputs, {})
        if each.op == "Relu"
        else each
        for each in p.chain.nodes
    ]
    return replace(p.chain, nodes=tuple(nodes), constants=constants)


def real_of(code: int, p: TableParameters) -> Array:
    """What a code of the output stands for."""
    return np.asarray(_F(code - p.y_zero_point) * p.y_scale, _F)


def rounded_by(
    rounding: Callable[[Array], Array],
) -> Callable[[TableRule, TableParameters], TableRule]:
    """Entries made with another rounding of ``f(x) / ys``."""

    def quantize(x: Array, scale: Scale, zero_point: Array) -> Array:
        codes: Array = rounding(x / scale) + zero_point
        return codes

    return lambda rule, p: replace(rule, quantize=quantize)


def zero_point_inside(rule: TableRule, p: TableParameters) -> TableRule:
    """``rne(fl(f(x) / ys) + yz)``."""
    return replace(rule, quantize=quantize_with_zero_point_inside)


def wrapped(rule: TableRule, p: TableParameters) -> TableRule:
    """Entries beyond the range of codes keep their lowest 8 bits."""
    own = rule.quantize or divide

    def quantize(x: Array, scale: Scale, zero_point: Array) -> Array:
        return wrap_between(own(x, scale, zero_point), *RANGES[p.y_dtype])

    return replace(rule, quantize=quantize)


def by_a_cast(move: Move, affine: Affine) -> Callable[[TableRule, TableParameters], TableRule]:
    """``f(q xs - fl(xz xs)) * fl(1/ys)`` in float32, cast and then moved by yz."""

    def dequantize(codes: Array, scale: Scale, zero_point: int) -> Array:
        return affine(codes.astype(_F), scale, -_F(_F(zero_point) * scale))

    def rule(given: TableRule, p: TableParameters) -> TableRule:
        def quantize(x: Array, scale: Scale, zero_point: Array) -> Array:
            return move(x * (_F(1) / _F(scale)), p.y_zero_point, *RANGES[p.y_dtype])

        return replace(given, dequantize=dequantize, quantize=quantize)

    return rule


def table_with(p: TableParameters, stages: Mapping[str, Callable[..., Any]]) -> Array:
    """The table in the order of bytes that ``spec`` makes with these stages replaced."""
    profile = PROFILES["spec"]
    setting = Setting(p.chain, profile, correct_stages(profile), stages, (), OPERATORS)
    with np.errstate(all="ignore"):
        table = fill_table(p, TableRule(), setting)
    return setting.stage("table.lay_out", by_bytes)(table, p.x_dtype)


def table_fault(
    key: str, title: str, source: str, stage: str, replacement: Callable[..., Any]
) -> Fault:
    """A fault that shows where an entry of the table is another."""
    stages = {f"table.{stage}": replacement}

    def changes(p: TableParameters) -> bool:
        return not np.array_equal(table_with(p, stages), table_with(p, {}))

    return Fault(key, title, source, changes, stages, record=TableParameters)


FAULTS = (
    table_fault(
        "F82",
        "a leaky relu is computed as relu",
        "opencv/opencv 5.x fuses its ReLU layer, which has a slope, as a relu",
        "chain",
        leaky_as_relu,
    ),
    table_fault(
        "F80.table",
        "a relu in a table keeps what is above code 0 instead of above the zero point",
        "pytorch/executorch PR 18462",
        "chain",
        relu_from_code_zero,
    ),
    table_fault(
        "F86",
        "the table of an int8 function is indexed 128 entries off",
        "tables laid out by code, indexed by byte",
        "lay_out",
        by_unsigned_index,
    ),
    table_fault(
        "F86b",
        "a table is built without the zero point of its input",
        "tables for symmetric codes",
        "parameters",
        without_x_zero_point,
    ),
    table_fault(
        "F86b.swapped",
        "a table is built with the scales of input and output swapped",
        "two floats of one type in a parameter list",
        "parameters",
        with_scales_swapped,
    ),
    table_fault(
        "F86c",
        "a table of int8 codes is built over 255 steps from -127 to 127",
        "pytorch/executorch#18873",
        "codes",
        codes_of_255_steps,
    ),
    table_fault(
        "F86d",
        "a table is built with the scale of its input for that of its output",
        "tensorflow/tensorflow PR 37279",
        "parameters",
        with_scale_of_x,
    ),
    table_fault(
        "F70.table",
        "the entries of a table are rounded with ties away from zero",
        "microsoft/onnxruntime#25045",
        "rule",
        rounded_by(round_half_away),
    ),
    table_fault(
        "F71.table",
        "the entries of a table are rounded with ties up",
        "tenstorrent/tt-metal#56525",
        "rule",
        rounded_by(half_up),
    ),
    table_fault(
        "F75.table",
        "the entries of a table are rounded with the zero point in them",
        "onnx/onnx op_quantize_linear.py",
        "rule",
        zero_point_inside,
    ),
    table_fault(
        "F72.table",
        "the entries of a table are truncated",
        "microsoft/onnxruntime PR 32452",
        "rule",
        rounded_by(np.trunc),
    ),
    table_fault(
        "F73a.table",
        "the entries of a table are rounded down",
        "casts that floor",
        "rule",
        rounded_by(np.floor),
    ),
    table_fault(
        "F38.table",
        "the entries of a table are stored without being clipped",
        "tinygrad/tinygrad#8546",
        "rule",
        wrapped,
    ),
    table_fault(
        "F128.table",
        "the entries of a table are cast: fraction cut off, lowest bits kept, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinear operators, measured",
        "rule",
        by_a_cast(cast_then_moved, fused_multiply_add),
    ),
    table_fault(
        "F128.table.clipped",
        "the entries of a table are converted: clipped, fraction cut off, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinear operators behind an open batch, measured",
        "rule",
        by_a_cast(clipped_then_moved, multiply_and_add),
    ),
)
