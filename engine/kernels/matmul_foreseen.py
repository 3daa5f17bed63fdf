"""Records of products some of whose inputs are computed: what these may be, for triggers of faults."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.ir import Array, Node
from engine.kernels.matmul_stages import MatMulParameters
from engine.kernels.operator import Setting

Arrays = Sequence[Array | None]
Read = Callable[[Node, Arrays], MatMulParameters]
"""(node, its inputs, None where absent or for a) -> the record."""

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "QLinearMatMul": "a as az b bs bz ys yz c",
        "MatMulInteger": "a b az bz",
        "MatMulIntegerToFloat": "a b as bs az bz c",
        "QGemm": "a as az b bs bz c ys yz",
    }
)
"""The inputs: codes, scales and zero points of a, b and y, a bias c."""

A_ZERO: Mapping[str, int] = MappingProxyType(
    {op: kinds.split().index("az") for op, kinds in _KINDS.items()}
)
"""Where a's zero point is; left out, it is 0 of any type."""
_ONE = np.ones((), np.float32)


def foreseen(read: Read, node: Node, setting: Setting) -> MatMulParameters | None:
    """The record with what inputs that are computed may be: every code, scales and zero points of 1."""
    kinds = _KINDS[node.op].split()
    dtypes = {"a": _type_of(node.inputs[0], setting) or np.dtype(np.uint8)}
    of_b = (_type_of(node.input(kinds.index(each)), setting) for each in ("bz", "b"))
    dtypes["b"] = next(filter(None, of_b), np.dtype(np.uint8))
    arrays = [setting.constant(name) for name in node.inputs]
    for i, (kind, name) in enumerate(zip(kinds, node.inputs, strict=False)):
        if arrays[i] is None and name and kind != "c":
            arrays[i] = _may_be(kind, dtypes)
    try:
        return with_a(read(node, (None, *arrays[1:])), node, setting)
    except EngineError:
        return None  # said when the node runs


def _may_be(kind: str, dtypes: Mapping[str, np.dtype[Any]]) -> Array:
    if kind == "b":
        return np.arange(256, dtype=np.uint8).view(dtypes["b"])[:, None]
    return _ONE if kind.endswith("s") else np.ones((), dtypes.get(kind[0], np.uint8))


def with_a(p: MatMulParameters, node: Node, setting: Setting) -> MatMulParameters:
    """The record with what is known of the codes of a."""
    name = node.inputs[0]
    return replace(
        p, a=name, a_dtype=p.a_dtype or _type_of(name, setting), graph=setting.graph
    )


def _type_of(name: str, setting: Setting) -> np.dtype[Any] | None:
    constant = setting.constant(name)
    if constant is not None:
        return constant.dtype
    return next((each.dtype for each in setting.graph.inputs if each.name == name), None)


def foreseen_dynamic(read: Read, node: Node, setting: Setting) -> MatMulParameters | None:
    """The record with a scale of 1 and a zero point of 1 of a, which every run finds anew."""
    b, b_scale, b_zero, bias = (setting.constant(node.input(i)) for i in (1, 2, 3, 4))
    of_b = (_type_of(node.input(i), setting) for i in (3, 1))
    dtype = next(filter(None, of_b), np.dtype(np.uint8))
    b = _may_be("b", {"b": dtype}) if b is None else b
    if b_zero is None and node.input(3):
        b_zero = np.ones((), dtype)
    a_zero = np.ones((), np.uint8)
    scale = _ONE if b_scale is None else b_scale
    try:
        p = read(node, (None, b, _ONE, scale, a_zero, b_zero, bias))
    except EngineError:
        return None  # said when the node runs
    return with_a(p, node, setting)
