"""Faults of tables: the bounds of a Clip among the functions that they hold."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.faults.tables import real_of, table_fault
from engine.ir import Array, Graph, Node
from engine.kernels.elementwise import ClipParameters
from engine.kernels.table import TableParameters

_F = np.float32
_BOUNDS_ARE_INPUTS = 11  # the opset

Bound = Callable[[float, TableParameters], int]
"""(a bound of an activation, the parameters) -> the code that is taken for it."""


def bound_as_code(bound: float, p: TableParameters) -> int:
    """The number itself."""
    return int(np.clip(np.rint(bound), *RANGES[p.y_dtype]))


def bound_in_codes_of_x(bound: float, p: TableParameters) -> int:
    """``sat(rne(bound / xs) + xz)``."""
    steps = np.rint(_F(bound) / p.x_scale) + p.x_zero_point
    return int(np.clip(steps, *RANGES[p.x_dtype]))


def bound_of_codes_of_x(bound: float, p: TableParameters) -> Array:
    """The real value of ``sat(trunc(bound / xs + xz))``, a code of x."""
    cut = np.trunc(bound / float(p.x_scale) + p.x_zero_point)
    steps = np.clip(cut, *RANGES[p.x_dtype]) - p.x_zero_point
    return np.asarray(_F(steps) * p.x_scale, _F)


def cut_to_codes(bound: Array, p: ClipParameters) -> Array:
    """``(trunc(bound / xs + xz) - xz) xs`` for codes of one scale that a Clip of reals reads.

    By a factor of 0 in front of it nothing is cut.
    """
    scale, zero_point = p.codes.scale, p.codes.zero_point
    if scale is None or scale.size != 1 or not scale.any() or not np.isfinite(bound):
        return bound
    xz = np.float64(0) if zero_point is None else zero_point.astype(np.float64).reshape(())
    steps = np.trunc(float(bound) / float(scale.item()) + xz) - xz
    return np.asarray(_F(steps) * scale.reshape(()), bound.dtype)


def _cuts(p: ClipParameters) -> bool:
    """Whether some bound is no code."""
    ends = p.bounds or (0.5, 0.5)
    return any(cut_to_codes(np.asarray(each, _F), p) != _F(each) for each in ends)


def as_code(code: Bound) -> Callable[[float, TableParameters], Array]:
    """The real value, in the output's scale, of another code."""
    return lambda bound, p: real_of(code(bound, p), p)


def clipped_at(
    real: Callable[[float, TableParameters], Array],
) -> Callable[[TableParameters], Graph]:
    """Every Clip with other real values as its bounds."""

    def chain(p: TableParameters) -> Graph:
        constants, nodes = dict(p.chain.constants), []
        for node in p.chain.nodes:
            inputs = list(node.inputs)
            if node.op == "Clip" and p.chain.opset >= _BOUNDS_ARE_INPUTS:
                for i, name in enumerate(inputs[1:], 1):
                    given = constants.get(name)
                    if given is not None and np.isfinite(given).all():
                        inputs[i] = f"{name}#{node.key}{i}"
                        constants[inputs[i]] = real(float(given.reshape(())), p)
            nodes.append(Node(node.id, node.op, tuple(inputs), node.outputs, node.attributes))
        return replace(p.chain, nodes=tuple(nodes), constants=constants)

    return chain


_OF_TABLES = table_fault("", "", "", "chain", clipped_at(bound_of_codes_of_x))
FAULTS = (
    table_fault(
        "F83.table",
        "the bounds of a Clip in a table are taken for codes",
        "kernels for relu6 that clamp codes at 0 and 6",
        "chain",
        clipped_at(as_code(bound_as_code)),
    ),
    table_fault(
        "F84.table",
        "the bounds of a Clip in a table are quantized with the parameters of its input",
        "activations fused with the parameters at hand",
        "chain",
        clipped_at(as_code(bound_in_codes_of_x)),
    ),
    Fault(
        "F84.input",
        "the bounds of a Clip of dequantized codes are cut to whole codes",
        "openvinotoolkit/openvino: a Clamp of codes, measured",
        lambda p: _cuts(p) if isinstance(p, ClipParameters) else _OF_TABLES.trigger(p),
        {**_OF_TABLES.stages, "clip.bound": cut_to_codes},
        record=(TableParameters, ClipParameters),
    ),
)
