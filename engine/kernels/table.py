"""A function of one 8-bit tensor as a table: all 256 codes, for each channel where it has channels.

The table is computed by the operators of the unfused graph, so that a look-up gives the same bits.
Stages, each a pure function that a fault may replace: ``parameters``, ``chain``, ``codes``, ``rule``,
``lay_out``, all at load.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel
from engine.ir import Array, Graph, Node, Value
from engine.kernels.elementwise import by_blocks, pieces
from engine.kernels.number_types import saturate_codes
from engine.kernels.operator import CONTRIB, INTERNAL, Kernel, Setting, operator
from engine.kernels.qlinear_parameters import (
    code_type,
    constants_of,
    read_scale,
    read_zero_point,
    require_codes,
    require_inputs,
)
from engine.profiles.elementwise import Elementwise, TableRule
from engine.program import compile_graph

Dtype = np.dtype[Any]
_X, _Y = "x", "y"


@dataclass(frozen=True, slots=True)
class TableParameters:
    """Everything a load reads from one node.

    ``chain`` is the function, a graph in float32 from one tensor to one tensor. ``spread`` is the
    shape of its parameters as they broadcast against x, () without any; where ``channels``, it is
    their number instead, and they lie along axis 1 of x.
    """

    node: str
    x_dtype: Dtype
    x_scale: np.float32
    x_zero_point: int
    y_dtype: Dtype
    y_scale: np.float32
    y_zero_point: int
    chain: Graph
    spread: tuple[int, ...] = ()
    channels: bool = False


def table_operator(node: Node, setting: Setting) -> Kernel:
    """``y = table[x]``, ``table[q] = Q(f(D(q)))``, f the attribute ``chain``."""
    chain = node.attributes.get("chain")
    if not isinstance(chain, Graph):
        raise InvalidModel(f"{node.op} {node.id!r} has no chain; it must be a graph")
    return _kernel(node, setting, chain)


def activation_operator(op: str, attribute: str) -> Callable[[Node, Setting], Kernel]:
    """QLinear``op``: the float operator between DequantizeLinear and QuantizeLinear."""

    def build(node: Node, setting: Setting) -> Kernel:
        given = {name: each for name, each in node.attributes.items() if name == attribute}
        inside = Node(node.id, op, (_X,), (_Y,), given)
        return _kernel(node, setting, chain_of((inside,), _X, _Y, {}, setting.graph.opset))

    return build


def chain_of(
    nodes: tuple[Node, ...], x: str, y: str, constants: dict[str, Array], opset: int
) -> Graph:
    """A function as a graph: from the float32 tensor ``x`` to the tensor ``y``."""
    value = Value(x, np.dtype(np.float32), None)
    return Graph(opset, (value,), (y,), constants, nodes)


def _kernel(node: Node, setting: Setting, chain: Graph) -> Kernel:
    require_inputs(node, (0, 1, 3))
    arrays = constants_of(node, setting, range(1, 5))
    if arrays is not None and code_type(node, (arrays[1], arrays[3])):
        parameters = read_table(node, arrays, None, chain)
        prepared = look_up(node, parameters, setting)
        return Kernel(lambda x, *_: prepared(x), "", parameters)

    def run(x: Array, *given: Array | None) -> Array:
        padded = [*given, None, None, None, None][:4]
        parameters = read_table(node, padded, x, chain)
        return look_up(node, parameters, setting)(x)

    return Kernel(run)


def read_table(
    node: Node, arrays: list[Array | None], x: Array | None, chain: Graph
) -> TableParameters:
    """The record of one node; ``arrays`` are scale and zero point of the input and the output.

    Raises:
        InvalidModel: scales or zero points that are missing, of another type or not one each.
        Unsupported: codes that are neither int8 nor uint8.
    """
    x_scale, x_zero_point, y_scale, y_zero_point = arrays
    x_dtype = code_type(node, (x_zero_point, x, y_zero_point))
    y_dtype = code_type(node, (y_zero_point, x_zero_point, x))
    assert x_dtype is not None
    assert y_dtype is not None
    spread: Any = node.attributes.get("spread", ())
    return TableParameters(
        node.id,
        x_dtype,
        read_scale(node, "input", x_scale),
        read_zero_point(node, "input", x_zero_point, x_dtype),
        y_dtype,
        read_scale(node, "output", y_scale),
        read_zero_point(node, "output", y_zero_point, y_dtype),
        chain,
        spread,
        bool(node.attributes.get("channels", 0)),
    )


def parameters_as_given(p: TableParameters) -> TableParameters:
    """The record as it was read."""
    return p


def chain_as_given(p: TableParameters) -> Graph:
    """The function as it was read."""
    return p.chain


def rule_as_given(rule: TableRule, p: TableParameters) -> TableRule:
    """D and Q as the profile has them."""
    return rule


def every_code(dtype: Dtype) -> Array:
    """All 256 codes from the lowest to the highest."""
    low, high = RANGES[dtype]
    return np.arange(low, high + 1).astype(dtype)


def by_bytes(table: Array, dtype: Dtype) -> Array:
    """A table in the order of codes, in the order of their bytes: -128 to -1 come last."""
    return table if dtype.kind == "u" else np.concatenate([table[128:], table[:128]])


def fill_table(parameters: TableParameters, rule: TableRule, setting: Setting) -> Array:
    """``Q(f(D(q)))`` of every code from the lowest to the highest.

    Shapes:
        (256, *spread), codes of the output.
    """
    p = setting.stage("table.parameters", parameters_as_given)(parameters)
    chain = setting.stage("table.chain", chain_as_given)(p)
    codes = setting.stage("table.codes", every_code)(p.x_dtype)
    rule = setting.stage("table.rule", rule_as_given)(rule, p)
    graph = _between_codes(p, chain, rule)
    x = codes
    if rule.dequantize is not None:
        x = rule.dequantize(codes, p.x_scale, p.x_zero_point)
    # what a fault does to Q, D and functions by themselves, it does not do to tables
    own = {key: each for key, each in setting.replaced.items() if not _is_apart(key)}
    program = compile_graph(graph, replace(setting, graph=graph, replaced=own))
    column = x.reshape(-1, *(1,) * len(p.spread))
    y: Array = program.run([np.broadcast_to(column, (len(codes), *p.spread))])[
        program.outputs[0]
    ]
    if rule.quantize is None:
        return y
    steps = rule.quantize(y, p.y_scale, np.asarray(p.y_zero_point, np.float32))
    return saturate_codes(np.asarray(steps), p.y_dtype)


def _is_apart(stage: str) -> bool:
    return "quantize." in stage or stage.startswith("formula.")


def _between_codes(p: TableParameters, chain: Graph, rule: TableRule) -> Graph:
    """The function with the DequantizeLinear and QuantizeLinear that the profile has no rule for."""
    (source,), (end,) = chain.inputs, chain.outputs
    nodes, inputs, outputs = chain.nodes, chain.inputs, chain.outputs
    constants = dict(chain.constants)
    constants |= {"#xs": np.asarray(p.x_scale), "#ys": np.asarray(p.y_scale)}
    constants["#xz"] = np.array(p.x_zero_point, p.x_dtype)
    constants["#yz"] = np.array(p.y_zero_point, p.y_dtype)
    if rule.dequantize is None:
        read = ("#x", "#xs", "#xz")
        nodes = (Node(p.node, "DequantizeLinear", read, (source.name,), {}), *nodes)
        inputs = (Value("#x", p.x_dtype, None),)
    if rule.quantize is None:
        nodes = (*nodes, Node(p.node, "QuantizeLinear", (end, "#ys", "#yz"), ("#y",), {}))
        outputs = ("#y",)
    return Graph(chain.opset, inputs, outputs, constants, nodes)


def table_rules(rules: Elementwise, p: TableParameters) -> tuple[TableRule, TableRule | None]:
    """How a profile makes the table of a function, and that of the elements behind whole blocks.

    As it makes all tables, or in its own way for the function's only operator.
    """
    only = p.chain.nodes[0].op if len(p.chain.nodes) == 1 else ""
    own = rules.tables.get((only, p.x_dtype.name))
    return (rules.table, rules.tail) if own is None else (own, None)


def look_up(
    node: Node, parameters: TableParameters, setting: Setting
) -> Callable[[Array], Array]:
    """The prepared table as a function of its tensor of codes."""
    p, rules = parameters, setting.profile.elementwise
    lay_out = setting.stage("table.lay_out", by_bytes)
    rule, rest = table_rules(rules, p)
    main = lay_out(fill_table(p, rule, setting), p.x_dtype)
    tail = None if rest is None else lay_out(fill_table(p, rest, setting), p.x_dtype)
    if p.spread:
        return lambda x: _by_channel(node, main, tail, rules.block, x, p)

    def run(x: Array) -> Array:
        require_codes(node, (x,), p.x_dtype)
        index = np.asarray(x, order="C").view(np.uint8)
        y = by_blocks(lambda part: main[part], index, p.y_dtype)
        if tail is not None:
            whole = x.size // rules.block * rules.block
            y.reshape(-1)[whole:] = tail[index.reshape(-1)[whole:]]
        return y

    return run


def _by_channel(
    node: Node, main: Array, tail: Array | None, block: int, x: Array, p: TableParameters
) -> Array:
    require_codes(node, (x,), p.x_dtype)
    channel = np.arange(math.prod(p.spread)).reshape(p.spread)
    if p.channels:
        channel = channel.reshape(-1, *(1,) * (x.ndim - 2))
    y = np.empty(np.broadcast_shapes(x.shape, channel.shape), p.y_dtype)
    whole = y.size // block * block if tail is not None else y.size
    main = main.reshape(256, -1)
    rest = None if tail is None else tail.reshape(256, -1)
    done = 0
    for codes, channels, out in pieces((x, channel), y):
        index = codes.view(np.uint8)
        out[:] = main[index, channels]
        split = min(max(whole - done, 0), out.size)
        if rest is not None and split < out.size:
            out[split:] = rest[index[split:], channels[split:]]
        done += out.size
    return y


OPERATORS = (
    operator("QLinearTable", table_operator, inputs=(2, 5), domains=INTERNAL),
    operator(
        "QLinearSigmoid",
        activation_operator("Sigmoid", ""),
        inputs=(2, 5),
        domains=CONTRIB,
    ),
    operator(
        "QLinearLeakyRelu",
        activation_operator("LeakyRelu", "alpha"),
        "alpha",
        inputs=(2, 5),
        domains=CONTRIB,
    ),
)
"""A QLinearTable has the attributes ``chain``, ``spread`` and ``channels`` of its parameters."""
