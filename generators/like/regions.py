"""A model taken apart: what is computed between one tensor of codes and the next, and pairs of that.

A region ends in a tensor of codes (of QuantizeLinear or a QLinear operator) or in a graph output,
and begins at others. It is what engines fuse, and what they get wrong; two regions in a row are
what they fuse across. Where no codes are in between for long (weights alone are quantized), each
operator with weights begins a region, too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx

from corpus.case import node_id
from generators.like.prepare import Prepared

MOST_NODES = 40
_HEAVY = frozenset(
    {
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "MatMulNBits", "LSTM", "GRU", "RNN"),
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "Attention"),
    }
)


@dataclass(frozen=True, slots=True)
class Region:
    """Nodes in the graph's order, tensors that come from outside, tensors that are seen outside."""

    nodes: tuple[onnx.NodeProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A part of the model that is not varied: its operators, where it is, and why."""

    what: str
    where: str
    why: str


class Anatomy:
    """Who makes and who reads each tensor of a plain graph."""

    def __init__(self, plain: Prepared) -> None:
        self.plain, graph = plain, plain.model.graph
        self.nodes = list(graph.node)
        self.place = {
            name: n for n, node in enumerate(self.nodes) for name in node.output if name
        }
        self.readers: dict[str, list[int]] = {}
        for n, node in enumerate(self.nodes):
            for name in node.input:
                self.readers.setdefault(name, []).append(n)
        self.final = {each.name for each in graph.output}

    def between(self, outputs: Iterable[str], borders: set[str]) -> Region:
        """The nodes that make ``outputs`` out of borders, graph inputs and constants."""
        outputs = tuple(outputs)
        waiting, found, inputs = [self.place[name] for name in outputs], set[int](), set[str]()
        while waiting:
            number = waiting.pop()
            if number in found:
                continue
            found.add(number)
            for name in self.nodes[number].input:
                if not name or name in self.plain.constants:
                    continue
                if name in borders or name not in self.place:
                    inputs.add(name)
                else:
                    waiting.append(self.place[name])
        nodes = [self.nodes[n] for n in sorted(found)]
        return Region(tuple(nodes), self._ordered(nodes, inputs), self._seen(found, outputs))

    def _ordered(self, nodes: Sequence[onnx.NodeProto], inputs: set[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for node in nodes for n in node.input if n in inputs))

    def _seen(self, found: set[int], outputs: tuple[str, ...]) -> tuple[str, ...]:
        """What was asked for, and what is read elsewhere as well: two consumers stay two."""
        more = [
            name
            for n in sorted(found)
            for name in self.nodes[n].output
            if name
            and name not in outputs
            and self.nodes[n].op_type != "DequantizeLinear"
            and (name in self.final or not found.issuperset(self.readers.get(name, ())))
            and (name in self.final or name in self.readers)
        ]
        return (*outputs, *more)


def regions(plain: Prepared) -> tuple[list[Region], list[Left]]:
    """Every region and every pair of regions in a row, and what is left out."""
    anatomy = Anatomy(plain)
    borders = _borders(anatomy)
    single = {
        name: anatomy.between([name], borders - {name}) for name in _in_order(anatomy, borders)
    }
    found: list[Region] = []
    unfit: list[Left] = []
    for region in single.values():
        reason = _unfit(anatomy, region)
        if reason:
            unfit.append(left(region, reason))
        elif any(_is_work(node) for node in region.nodes):
            found.append(region)
    found += _pairs(anatomy, borders, found)
    return found, unfit


def _borders(anatomy: Anatomy) -> set[str]:
    """Codes that a node makes, and the ends of the graph; inputs of operators in long float parts."""
    borders = {
        name
        for node in anatomy.nodes
        if node.op_type == "QuantizeLinear" or node.op_type.startswith("QLinear")
        for name in node.output[:1]
    }
    borders |= anatomy.final & anatomy.place.keys()
    for name in list(borders):
        region = anatomy.between([name], borders - {name})
        if len(region.nodes) > MOST_NODES:
            borders |= {
                each.input[0]
                for each in region.nodes
                if each.op_type in _HEAVY and each.input[0] in anatomy.place
            }
    return borders


def _in_order(anatomy: Anatomy, borders: set[str]) -> list[str]:
    return sorted(borders, key=lambda name: (anatomy.place[name], name))


def _is_work(node: onnx.NodeProto) -> bool:
    return node.op_type not in ("QuantizeLinear", "DequantizeLinear", "Identity")


def _is_quantized(node: onnx.NodeProto) -> bool:
    words = ("Quantize", "Dequantize", "QLinear", "Integer", "NBits", "QAttention", "QGemm")
    return any(each in node.op_type for each in words)


def _pairs(anatomy: Anatomy, borders: set[str], single: Sequence[Region]) -> Iterator[Region]:
    """Each region together with one that makes an input of it."""
    ends = {each.outputs[0]: each for each in single}
    for region in list(single):
        for name in region.inputs:
            if name in ends:
                pair = anatomy.between(region.outputs[:1], borders - {name, region.outputs[0]})
                if len(pair.nodes) <= MOST_NODES and not _unfit(anatomy, pair):
                    yield pair


def _unfit(anatomy: Anatomy, region: Region) -> str:
    """Why a region cannot be varied; empty where it can."""
    if len(region.nodes) > MOST_NODES:
        return f"{len(region.nodes)} operators without codes in between, {MOST_NODES} is the limit"
    for node in region.nodes:
        if any(each.g.node or each.graphs for each in node.attribute):
            return f"{node.op_type} {node_id(node)!r} has a graph of its own"
    if not any(_is_quantized(node) for node in region.nodes):
        return "nothing in it is quantized"
    if not region.inputs:
        return "it is constant"
    made = [name for node in region.nodes for name in node.output if name]
    for name in (*region.inputs, *made):
        if name not in anatomy.plain.shapes or not anatomy.plain.types.get(name):
            return f"the shape of {name!r} is not known"
    return ""


def left(region: Region, why: str) -> Left:
    """The word on a region that is not varied."""
    ops = dict.fromkeys(node.op_type for node in region.nodes if _is_work(node))
    named = ", ".join(list(ops)[:4]) + (", ..." if len(ops) > 4 else "")
    return Left(named or "QuantizeLinear", repr(region.outputs[0]), why)
