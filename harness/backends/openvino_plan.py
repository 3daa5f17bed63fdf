"""OpenVINO's runtime model, read back as a plan in the source's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.backends.graph import Graph, node_id

if TYPE_CHECKING:
    import onnx

NOT_COMPUTING = ("Input", "Output", "Const", "Reorder")


def plan(source: onnx.ModelProto, runtime: Any) -> list[dict[str, Any]]:
    """One entry for each executed layer that stands for nodes of the source graph.

    A layer lists the names of the operations it was made of: names of nodes or of their outputs,
    some with an addition behind a slash. It covers the nodes from the layers before it to the last
    of those.
    """
    graph = Graph(source.graph)
    makers = {name: node for node in graph.nodes for name in node.output}
    makers.update({node_id(node): node for node in graph.nodes})
    made: dict[str, list[str]] = {}  # by a layer's name, the source tensors that it holds
    steps = []
    for layer in runtime.get_ordered_ops():
        name, kind, originals = _facts(layer)
        inputs = list(dict.fromkeys(each for maker in _feeding(layer) for each in made[maker]))
        nodes = [makers[each] for each in _known(originals, makers)]
        if kind in NOT_COMPUTING or not nodes:
            made[name] = [name] if name in graph.inputs else inputs
            continue
        outputs = [max(nodes, key=graph.nodes.index).output[0]]
        made[name] = outputs
        covered = graph.between(inputs, outputs)
        steps.append(
            {
                "kind": kind,
                "name": name,
                "nodes": covered,
                "inputs": inputs,
                "outputs": outputs,
            }
        )
    return steps


def _facts(layer: Any) -> tuple[str, str, list[str]]:
    info = layer.get_rt_info()
    originals = str(info["originalLayersNames"].value).split(",")
    return str(layer.get_friendly_name()), str(info["layerType"].value), originals


def _feeding(layer: Any) -> list[str]:
    return [port.get_source_output().get_node().get_friendly_name() for port in layer.inputs()]


def _known(originals: list[str], makers: dict[str, Any]) -> list[str]:
    """Names of source nodes among a layer's, without what a transformation appended to them."""
    candidates = [each if each in makers else each.split("/")[0] for each in originals]
    return [each for each in candidates if each in makers]
