"""What TensorRT's engine inspector prints, read back as a plan in the source's words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness.backends.graph import Graph, node_id

if TYPE_CHECKING:
    import onnx

LABEL = re.compile(r"\[ONNX Layer: (.*?)\]")
JOIN = re.compile(r" \+ | \|\| |\.\.\.")  # how names of fused layers are joined


def plan(source: onnx.ModelProto, printed: str) -> list[dict[str, Any]]:
    """One entry for each layer of the engine that computes something of the source graph.

    ``printed`` is the inspector's JSON with detailed verbosity: each layer has a name, a type, and
    metadata that list the ONNX nodes it was made of. It covers the nodes from the layers before it
    to the last of those. Layers that are names alone, of a lower verbosity, are read too.
    """
    graph = Graph(source.graph)
    steps: list[dict[str, Any]] = []
    held: set[str] = set(graph.inputs)
    for layer in json.loads(printed).get("Layers", []):
        facts = layer if isinstance(layer, dict) else {"Name": layer}
        nodes = [node for node in graph.nodes if _names(node) & _originals(facts)]
        if not nodes:
            continue
        output = nodes[-1].output[0]
        covered = graph.between(held - {output}, [output])
        inside = [node for node in graph.nodes if node_id(node) in covered]
        read = dict.fromkeys(name for node in inside for name in node.input if name in held)
        held.add(output)
        steps.append(
            {
                "kind": str(facts.get("LayerType", "Layer")),
                "name": str(facts["Name"]),
                "nodes": covered,
                "inputs": list(read),
                "outputs": [output],
            }
        )
    return steps


def _originals(facts: dict[str, Any]) -> set[str]:
    """Names of the ONNX nodes behind a layer: from its metadata, else from its own name."""
    labels = LABEL.findall(str(facts.get("Metadata", "")))
    return set(labels or JOIN.split(str(facts["Name"])))


def _names(node: onnx.NodeProto) -> set[str]:
    """What a layer may call a node: its name, or for nameless ones what the parser makes up."""
    return {node.name} if node.name else {f"node_of_{node.output[0]}", node.output[0]}
