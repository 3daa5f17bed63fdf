"""QLinearConcat and QLinearWhere: codes of several tensors brought to one scale, then put together.

Stages, each a pure function that a fault may replace: ``parameters``, then one ``requantize`` for each
tensor, as a table, then ``join``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.elementwise import by_blocks
from engine.kernels.number_types import saturate_codes
from engine.kernels.operator import CONTRIB, MANY, Kernel, Setting, operator
from engine.kernels.qlinear_parameters import (
    code_type,
    constants_of,
    read_scale,
    read_zero_point,
    require_codes,
    require_inputs,
)
from engine.kernels.table import by_bytes, every_code
from engine.profiles import Profile
from engine.profiles.elementwise_exact import Operand

Dtype = np.dtype[Any]
Requantize = Callable[[Array], Array]
"""Codes of an input to codes of the output."""
Together = Callable[[Sequence[Any], Sequence[Requantize | None]], Array]
"""(the arrays of a node, what each tensor needs) -> its output."""


@dataclass(frozen=True, slots=True)
class SelectParameters:
    """The affine maps of all tensors; ``op`` is QLinearConcat, along ``axis``, or QLinearWhere.

    ``codes`` names the tensors in ``graph``, whose shapes are asked for by triggers only.
    """

    node: str
    op: str
    dtype: Dtype
    inputs: tuple[Operand, ...]
    y_scale: np.float32
    y_zero_point: int
    axis: int
    graph: Graph = field(compare=False, repr=False)
    codes: tuple[str, ...] = ()


def concatenate_codes(node: Node, setting: Setting) -> Kernel:
    """``y = concat(sat(rne(x_i xs_i/ys) + yz), ...)`` along ``axis``.

    Source:
        com.microsoft QLinearConcat.
    """
    axis = node.attributes.get("axis")
    if not isinstance(axis, int):
        raise InvalidModel(f"QLinearConcat {node.id!r}: axis must be an integer, got {axis!r}")
    if len(node.inputs) < 5 or (len(node.inputs) - 2) % 3:
        raise InvalidModel(
            f"QLinearConcat {node.id!r} has {len(node.inputs)} inputs; it takes 2 and 3 for each tensor"
        )
    places = range(2, len(node.inputs), 3)
    require_inputs(node, (0, *places, *(place + 1 for place in places)))

    put = setting.stage("select.join", concatenate)

    def join(given: Sequence[Any], prepared: Sequence[Requantize | None]) -> Array:
        return put(_requantized(given, places, prepared), axis)

    return _kernel(node, setting, places, (0, 1), join)


def concatenate(parts: Sequence[Array], axis: int) -> Array:
    """The parts one after the other."""
    return np.concatenate(parts, axis)


def choose_codes(node: Node, setting: Setting) -> Kernel:
    """``z = x if condition else y``, each brought to the scale of z, all three broadcast.

    Source:
        com.microsoft QLinearWhere.
    """

    def choose(given: Sequence[Any], prepared: Sequence[Requantize | None]) -> Array:
        if given[0].dtype != np.bool_:
            raise EngineError(f"QLinearWhere {node.id!r}: the condition is {given[0].dtype}")
        x, y = _requantized(given, (1, 4), prepared)
        return np.where(given[0], x, y)

    return _kernel(node, setting, (1, 4), (7, 8), choose)


def _requantized(
    given: Sequence[Any], places: Sequence[int], prepared: Sequence[Requantize | None]
) -> list[Array]:
    return [
        each(given[place]) if each else given[place]
        for each, place in zip(prepared, places, strict=True)
    ]


def _kernel(
    node: Node,
    setting: Setting,
    places: Sequence[int],
    of_y: tuple[int, int],
    together: Together,
) -> Kernel:
    """Reads the affine maps once where they are constants, else in each run."""
    zeros = (of_y[1], *(place + 2 for place in places))
    fixed = (of_y[0], *(place + 1 for place in places), *zeros)
    arrays = constants_of(node, setting, fixed)
    found = dict(zip(fixed, arrays, strict=True)) if arrays is not None else {}
    if code_type(node, [found.get(place) for place in zeros]):
        parameters = read_select(node, setting.graph, found, places, of_y, ())
        prepared = prepare_all(parameters, setting)

        def run(*given: Array | None) -> Array:
            codes: list[Any] = [given[place] for place in places]
            require_codes(node, codes, parameters.dtype)
            return together(given, prepared)

        return Kernel(run, "", parameters)

    def run_variable(*given: Array | None) -> Array:
        codes: list[Any] = [given[place] for place in places]
        p = read_select(node, setting.graph, dict(enumerate(given)), places, of_y, codes)
        require_codes(node, codes, p.dtype)
        return together(given, prepare_all(p, setting))

    return Kernel(run_variable)


def read_select(
    node: Node,
    graph: Graph,
    arrays: Mapping[int, Array | None],
    places: Sequence[int],
    of_y: tuple[int, int],
    codes: Sequence[Array],
) -> SelectParameters:
    """The record of one node from its arrays by place; ``codes`` also tell the type.

    Raises:
        InvalidModel: scales or zero points that are missing, of another type or not one each.
        Unsupported: codes that are neither int8 nor uint8.
    """
    zeros = [arrays.get(of_y[1]), *(arrays.get(place + 2) for place in places)]
    dtype = code_type(node, [*zeros, *codes])
    assert dtype is not None
    inputs = tuple(
        Operand(
            read_scale(node, f"input {i}", arrays.get(place + 1)),
            read_zero_point(node, f"input {i}", arrays.get(place + 2), dtype),
        )
        for i, place in enumerate(places)
    )
    axis: Any = node.attributes.get("axis", 0)
    return SelectParameters(
        node.id,
        node.op,
        dtype,
        inputs,
        read_scale(node, "output", arrays.get(of_y[0])),
        read_zero_point(node, "output", arrays.get(of_y[1]), dtype),
        axis,
        graph,
        tuple(node.inputs[place] for place in places),
    )


def parameters_as_given(p: SelectParameters) -> SelectParameters:
    """The record as it was read."""
    return p


def prepare_all(
    parameters: SelectParameters, setting: Setting
) -> tuple[Requantize | None, ...]:
    """For each input how its codes become codes of the output; None where they are that already."""
    p = setting.stage("select.parameters", parameters_as_given)(parameters)
    requantize = setting.stage("select.requantize", by_table)
    return tuple(requantize(i, p, setting.profile) for i in range(len(p.inputs)))


def by_table(index: int, p: SelectParameters, profile: Profile) -> Requantize | None:
    """``sat(rne((q - xz) xs/ys) + yz)`` of every code, looked up."""
    x = p.inputs[index]
    if x.scale == p.y_scale and x.zero_point == p.y_zero_point:
        return None
    steps = every_code(p.dtype).astype(np.int32) - x.zero_point
    rule = profile.requantize
    if p.op == "QLinearConcat" and profile.elementwise.join is not None:
        rule = profile.elementwise.join
    rounded = rule(steps, x.scale, p.y_scale, p.y_zero_point, profile.quantize)
    table = by_bytes(saturate_codes(np.asarray(rounded), p.dtype), p.dtype)

    def run(q: Array) -> Array:
        index = np.asarray(q, order="C").view(np.uint8)
        return by_blocks(lambda part: table[part], index, p.dtype)

    return run


OPERATORS = (
    operator("QLinearConcat", concatenate_codes, "axis", inputs=(1, MANY), domains=CONTRIB),
    operator("QLinearWhere", choose_codes, inputs=9, domains=CONTRIB),
)
