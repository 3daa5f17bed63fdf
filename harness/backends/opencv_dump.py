"""OpenCV's dump of a network, read back as a plan in the source's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.backends.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

LAYER = re.compile(r"^\s*(\w+) \{$")
NAME = re.compile(r'^\s*name: "(.*)",?$')
LIST = re.compile(r"^\s*(inputs|outputs): \[$")
ITEM = re.compile(r'^\s*"(.*)",? // <(\w+)>')
LAYOUT = re.compile(r"(\.block|\.nonblock)+$")  # what a change of layout appends to a name


def layers(text: str) -> Iterator[dict[str, Any]]:
    """Each layer of a dump: kind, name, and the names of its inputs (constants apart) and outputs."""
    layer: dict[str, Any] | None = None
    target: list[str] | None = None
    for line in text.partition("layers: [")[2].splitlines():
        if found := LAYER.match(line):
            layer = {"kind": found.group(1), "name": "", "inputs": [], "outputs": []}
            yield layer
        elif layer is None:
            continue
        elif found := LIST.match(line):
            target = layer[found.group(1)]
        elif found := NAME.match(line):
            layer["name"] = found.group(1)
        elif line.strip() in ("]", "],"):
            target = None
        elif target is not None and (found := ITEM.match(line)) and found.group(2) != "Const":
            target.append(found.group(1))


def plan(source: onnx.ModelProto, text: str) -> list[dict[str, Any]]:
    """One entry for each layer that computes something of the source graph."""
    graph = Graph(source.graph)
    known = {*graph.inputs, *(name for node in graph.nodes for name in node.output)}
    steps = []
    for layer in list(layers(text)):
        inputs, outputs = (_sources(layer[key], known) for key in ("inputs", "outputs"))
        nodes = [] if outputs == inputs else graph.between(inputs, outputs)
        if nodes:
            steps.append(dict(layer, nodes=nodes, inputs=inputs, outputs=outputs))
    return steps


def _sources(names: list[str], known: set[str]) -> list[str]:
    """Source tensors behind the names of a dump, without repetition."""
    found = [name if name in known else LAYOUT.sub("", name) for name in names]
    return [each for each in dict.fromkeys(found) if each in known]
