"""OpenVINO's runtime model, read back as a plan in the source's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.backends.graph import Graph, node_id

if TYPE_CHECKING:
    import onnx

NOT_COMPUTING = ("Input", "Output", "Const", "Reorder")
# Types of layers that only move or convert, then those that any operator may need besides its own.
MINOR = (("Reshape", "Transpose", "Convert", "Broadcast", "Tile"), ("Eltwise", "Subgraph"))


def plan(source: onnx.ModelProto, runtime: Any) -> list[dict[str, Any]]:
    """One step for each source tensor that layers of the runtime model were executed for.

    A layer lists the names of the operations it was made of: names of nodes or of their outputs,
    some with an addition behind a slash. It covers the nodes from the layers before it to the last
    of those. Several layers for one node are one step, of the type that says most; so are it and the
    layers before it that lost their names.
    """
    graph = Graph(source.graph)
    makers = {name: node for node in graph.nodes for name in node.output}
    makers.update({node_id(node): node for node in graph.nodes})
    made: dict[str, list[str]] = {}  # by a layer's name, the source tensors that it holds
    unnamed: dict[str, list[str]] = {}  # by a layer's name, the types of such layers up to it
    steps: dict[str, dict[str, Any]] = {}
    for layer in runtime.get_ordered_ops():
        name, kind, originals = _facts(layer)
        inputs = list(dict.fromkeys(each for maker in _feeding(layer) for each in made[maker]))
        nodes = [makers[each] for each in _known(originals, makers)]
        kinds = [each for maker in _feeding(layer) for each in unnamed[maker]]
        kinds += [] if kind in NOT_COMPUTING else [kind]
        unnamed[name] = [] if nodes else kinds
        if kind in NOT_COMPUTING or not nodes:
            made[name] = [name] if name in graph.inputs else inputs
            continue
        output = max(nodes, key=graph.nodes.index).output[0]
        made[name] = [output]
        step = {
            "kind": max(reversed(kinds), key=_weight),
            "name": name,
            "nodes": graph.between(inputs, [output]),
            "inputs": [each for each in inputs if each != output],
            "outputs": [output],
        }
        steps[output] = _joined(steps.pop(output), step) if output in steps else step
    return list(steps.values())


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One step for two layers that work on the same tensor."""
    main = max(second, first, key=lambda each: _weight(each["kind"]))
    joined = {
        key: list(dict.fromkeys(first[key] + second[key])) for key in ("nodes", "inputs")
    }
    return {**main, **joined}


def _weight(kind: str) -> int:
    return next((rank for rank, kinds in enumerate(MINOR) if kind in kinds), len(MINOR))


def _facts(layer: Any) -> tuple[str, str, list[str]]:
    info = layer.get_rt_info()
    name = str(layer.get_friendly_name())
    originals = str(info["originalLayersNames"].value).split(",")
    return name, str(info["layerType"].value), [*originals, name]


def _feeding(layer: Any) -> list[str]:
    return [port.get_source_output().get_node().get_friendly_name() for port in layer.inputs()]


def _known(originals: list[str], makers: dict[str, Any]) -> list[str]:
    """Names of source nodes among a layer's, without what a transformation appended to them."""
    candidates = [each if each in makers else each.split("/")[0] for each in originals]
    return [each for each in candidates if each in makers]
