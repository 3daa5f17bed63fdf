"""Products of matrices in a row that OpenVINO computes as one, and what it knows of their columns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.ir import Array, Graph, Node
from engine.kernels.codes_before import maker
from engine.kernels.known_shape import known_shape
from engine.kernels.quantize_granularity import read_granularity

_F = np.float32
_ROWS, _WIDEST, _LONGEST = 8, 256, 7
_CODES = (np.int8, np.uint8)
PRODUCTS = frozenset(["Gemm", "MatMul"])
_ALONE = frozenset(["Clip", "Elu", "Gelu", "HardSwish", "Relu", "Sigmoid", "Softmax", "Tanh"])
_WITH_ANOTHER = frozenset(["Add", "Div", "Mul", "Sub"])
_BETWEEN = _ALONE | _WITH_ANOTHER | {"DequantizeLinear", "QuantizeLinear"}
"""What it computes together with the products around it."""


@dataclass(frozen=True, slots=True)
class Product:
    """Codes times constant ones: ``scale`` of a sum of products, one or N; ``zeros``, N, the sums of zero points.

    ``behind`` are the nodes from there on to the next product of the row, or to the end.
    """

    node: Node
    scale: Array
    zeros: Array
    behind: tuple[Node, ...]

    @property
    def differs(self) -> bool:
        """Whether columns have scales or sums of zero points of their own."""
        given = (np.atleast_1d(each) for each in (self.scale, self.zeros))
        return any((each != each[:1]).any() for each in given)


def row_of(graph: Graph, node: Node | None) -> tuple[Product, ...]:
    """All products of the row in which a node is one; () where it is in none, or rules of ours left only a part of it."""
    if (
        node is None
        or _operands(graph, node) is None
        or any(each.rules for each in graph.nodes)
    ):
        return ()
    first = node
    while (before := _before(graph, first)) is not None:
        first = before
    rows = known_shape(graph, first.inputs[0])
    if rows is None or len(rows) != 2 or rows[0] > _ROWS or rows[1] > _WIDEST:
        return ()
    found = tuple(_from(graph, first))
    return found if 1 < len(found) <= _LONGEST else ()


def constant_real(graph: Graph, name: str) -> Array | None:
    """A constant, or the codes of one."""
    made = maker(name, graph)
    return graph.constant(made.inputs[0] if made and made.op == "DequantizeLinear" else name)


def scalar_coding(graph: Graph, node: Node) -> tuple[np.float32, int] | None:
    """Scale and zero point of a node with one of each, of 8-bit codes."""
    scale = graph.constant(node.inputs[1])
    zero = graph.constant(node.input(2)) if node.input(2) else np.zeros((), np.uint8)
    if scale is None or zero is None or not scale.size == zero.size == 1:
        return None
    if scale.dtype != _F or zero.dtype not in _CODES:
        return None
    return _F(scale.reshape(())), int(zero.reshape(()))


def _from(graph: Graph, first: Node) -> Iterator[Product]:
    """The product, and those that follow."""
    node: Node | None = first
    while node is not None and (operands := _operands(graph, node)) is not None:
        behind, following = _behind(graph, node)
        yield Product(node, *operands, behind)
        node = following


def _behind(graph: Graph, node: Node) -> tuple[tuple[Node, ...], Node | None]:
    """What one alone reads of another, from a product on, and the next product, if there is one."""
    nodes: list[Node] = []
    while (user := _only_user(graph, node.outputs[0])) is not None:
        if user.op in PRODUCTS and user.inputs[0] == node.outputs[0]:
            return tuple(nodes), user
        if user.op not in _BETWEEN:
            break
        nodes.append(user)
        node = user
    return tuple(nodes), None


def _before(graph: Graph, node: Node) -> Node | None:
    """The product in front of one, in the same row."""
    names = [node.inputs[0]]
    while names:
        made = maker(names.pop(), graph)
        if made is None or _only_user(graph, made.outputs[0]) is None:
            continue
        if made.op in PRODUCTS and _operands(graph, made) is not None:
            return made
        if made.op in _BETWEEN:
            names += made.inputs if made.op in _WITH_ANOTHER else made.inputs[:1]
    return None


def _only_user(graph: Graph, name: str) -> Node | None:
    users = [each for each in graph.nodes for own in each.inputs if own == name]
    return users[0] if len(users) == 1 and name not in graph.outputs else None


def _operands(graph: Graph, node: Node) -> tuple[Array, Array] | None:
    """Scale and zeros of a product of codes with constant int8 ones around 0, neither of them large."""
    if node.op not in PRODUCTS or not _is_plain(node):
        return None
    before = maker(node.inputs[0], graph)
    if before is None or before.op != "DequantizeLinear":
        return None
    coding, weights = scalar_coding(graph, before), _weights(graph, node)
    if coding is None or weights is None or max(weights[0].shape) > _WIDEST:
        return None
    sums = weights[0].sum(axis=0, dtype=np.int64).astype(_F)
    return np.asarray(coding[0] * weights[1]), np.asarray(sums * _F(coding[1]))


def _is_plain(node: Node) -> bool:
    """A Gemm may turn its weights, but scales nothing."""
    given = node.attributes
    factors = {given.get(each, 1.0) for each in ("alpha", "beta")}
    return factors == {1.0} and not given.get("transA", 0)


def _weights(graph: Graph, node: Node) -> tuple[Array, Array] | None:
    """Codes (K, N) and scales, one or N, of a DequantizeLinear, transposed or not."""
    turned, made = bool(node.attributes.get("transB", 0)), maker(node.inputs[1], graph)
    while made is not None and made.op == "Transpose":
        turned = turned != (made.attributes.get("perm", (1, 0)) == (1, 0))
        made = maker(made.inputs[0], graph)
    if made is None or made.op != "DequantizeLinear":
        return None
    codes, scale = (graph.constant(each) for each in made.inputs[:2])
    zero = graph.constant(made.input(2)) if made.input(2) else np.zeros((), np.int8)
    if codes is None or scale is None or zero is None or zero.any() or codes.ndim != 2:
        return None
    axis = 1 - turned
    given = read_granularity(made, graph.opset)
    is_one = scale.size == 1 or (given.axis in (axis, axis - 2) and not given.block_size)
    if codes.dtype != np.int8 or scale.dtype != _F or not is_one:
        return None
    return codes.T if turned else codes, scale.reshape(-1) if scale.ndim else scale
