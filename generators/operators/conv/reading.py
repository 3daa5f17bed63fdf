"""A model read as chains of QuantizeLinear and DequantizeLinear around one node."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from corpus.case import Array, Case

LONGEST_CHAIN = 6
_KINDS = {"QuantizeLinear": "Q", "DequantizeLinear": "D"}
_ZERO_POINT_INPUTS = {"QuantizeLinear": 2, "QLinearConv": 7}
_FLOAT32 = (0, TensorProto.FLOAT)
_CODES = {TensorProto.UINT8: "uint8", TensorProto.INT8: "int8"}


class OtherModelError(Exception):
    """The model is not what the reader looks for."""


def require(condition: bool) -> None:
    """Raise ``OtherModelError`` unless the model is as expected here."""
    if not condition:
        raise OtherModelError


@dataclass(frozen=True, slots=True)
class Link:
    """The parameters of one QuantizeLinear (``Q``) or DequantizeLinear (``D``)."""

    kind: str
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    dtype: str
    zero_written: bool = True
    axis: int = 0

    def agrees(self, other: "Link") -> bool:
        """Whether the two nodes undo each other: same scale, zero point and codes."""
        mine = (self.scales, self.zeros, self.dtype)
        return mine == (other.scales, other.zeros, other.dtype)


class Reader:
    """One model with one real input, indexed; ``covered`` holds the nodes understood so far."""

    def __init__(self, case: Case) -> None:
        model = case.proto()
        graph = model.graph
        opsets = [
            each.version for each in model.opset_import if each.domain in ("", "ai.onnx")
        ]
        require(bool(opsets))
        self.opset = max(opsets)
        self.constants: dict[str, Array] = {
            each.name: numpy_helper.to_array(each) for each in graph.initializer
        }
        self.nodes = [node for node in graph.node if not self._keep_constant(node)]
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.readers = Counter(name for node in self.nodes for name in node.input)
        self.outputs = [each.name for each in graph.output]
        inputs = [each.name for each in graph.input if each.name not in self.constants]
        require(len(inputs) == 1 and inputs[0] in case.inputs)
        self.x_name, self.x = inputs[0], case.inputs[inputs[0]]
        self.covered: set[int] = set()
        self.spelled: set[str] = set()

    def _keep_constant(self, node: NodeProto) -> bool:
        if node.op_type != "Constant" or node.attribute[0].name != "value":
            return False
        self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        return True

    def cover(self, node: NodeProto) -> NodeProto:
        """Mark a node as understood."""
        self.covered.add(id(node))
        return node

    def constant(self, name: str) -> Array:
        """The value of an initializer or a Constant."""
        require(name in self.constants)
        return self.constants[name]

    def numbers(self, name: str) -> tuple[Any, ...]:
        """The entries of a scalar or a vector."""
        array = self.constant(name)
        require(array.ndim < 2)
        return tuple(array.ravel().tolist())

    def dtype(self, code: str) -> str:
        """The element type of a tensor of codes."""
        if code in self.constants:
            return str(self.constants[code].dtype)
        if code == self.x_name:
            return str(self.x.dtype)
        node = self.producers.get(code)
        require(node is not None and node.op_type in _ZERO_POINT_INPUTS)
        assert node is not None
        position = _ZERO_POINT_INPUTS[node.op_type]
        if len(node.input) > position and node.input[position]:
            return str(self.constant(node.input[position]).dtype)
        return _CODES.get(attributes(node).get("output_dtype") or TensorProto.UINT8, "other")

    def link(self, node: NodeProto) -> Link:
        """A QuantizeLinear or DequantizeLinear with constant parameters."""
        require(node.op_type in _KINDS and len(node.input) >= 2)
        self.cover(node)
        given = attributes(node)
        scales = self.numbers(node.input[1])
        require(
            not given.get("block_size") and self.constant(node.input[1]).dtype == np.float32
        )
        axis = 0 if len(scales) == 1 else int(given.get("axis", 1))
        require(axis == 0 or axis == -self.constant(node.input[0]).ndim)
        self._note_spelled(node, given)
        written = len(node.input) > 2 and bool(node.input[2])
        zeros = self.numbers(node.input[2]) if written else (0,)
        kind = _KINDS[node.op_type]
        code = node.input[0] if kind == "D" else node.output[0]
        return Link(kind, scales, zeros, self.dtype(code), written, axis)

    def _note_spelled(self, node: NodeProto, given: dict[str, Any]) -> None:
        """Keep which attributes say what holds anyway."""
        require(given.get("saturate", 1) == 1 and given.get("precision", 0) in _FLOAT32)
        found = set(given) & {"saturate", "precision", "block_size"}
        is_made = node.op_type == "QuantizeLinear"
        require(is_made or given.get("output_dtype", 0) in _FLOAT32)
        if "output_dtype" in given and (not is_made or len(node.input) > 2):
            found.add("output_dtype")
        self.spelled |= found

    def before(self, name: str) -> list[Link]:
        """The chain from the graph's input to the tensor ``name``, in order."""
        chain: list[Link] = []
        while name != self.x_name:
            require(name in self.producers and len(chain) < LONGEST_CHAIN)
            chain.append(self.link(self.producers[name]))
            name = self.producers[name].input[0]
        return chain[::-1]

    def after(self, name: str) -> tuple[list[NodeProto], str]:
        """The nodes from the tensor ``name`` to a graph output, and that output's name."""
        chain: list[NodeProto] = []
        while name not in self.outputs:
            require(self.readers[name] == 1 and len(chain) < LONGEST_CHAIN)
            node = next(each for each in self.nodes if name in each.input)
            chain.append(self.cover(node))
            name = node.output[0]
        require(self.readers[name] == 0)
        return chain, name


def attributes(node: NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values, strings decoded."""
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in given.items()}


def pairs(chain: Sequence[Link], leading: bool) -> list[Link]:
    """One link for each Q/DQ pair of a chain; an unpaired end is allowed on one side.

    ``leading``: the chain may begin with a D (codes come in), else it may end with a Q.
    """
    links = list(chain)
    if len(links) % 2 and leading:
        links.insert(0, links[0])
    elif len(links) % 2:
        links.append(links[-1])
    kinds = "".join(each.kind for each in chain)
    require("QQ" not in kinds and "DD" not in kinds and len(links) <= 4)
    for first, second in zip(links[::2], links[1::2], strict=True):
        require(first.agrees(second) and len(first.scales) == len(first.zeros) == 1)
        require(first.dtype in ("uint8", "int8"))
    require(len({(each.zeros, each.dtype) for each in links}) <= 1)
    return links[::2]
