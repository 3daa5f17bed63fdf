"""Attributes of onnxruntime's own operators: ONNX's checker does not know them and takes anything."""

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, GraphProto, NodeProto

DOMAIN = "com.microsoft"
_INTEGERS = (
    "ceil_mode channels_last count_include_pad keepdims axis block_size output_dtype K N "
    "accuracy_level bits weight_prepacked opset transA transB precision saturate"
)
TYPES: Mapping[str, int] = {
    **dict.fromkeys(_INTEGERS.split(), AttributeProto.INT),
    **dict.fromkeys(
        ["kernel_shape", "pads", "strides", "dilations", "axes"], AttributeProto.INTS
    ),
    "alpha": AttributeProto.FLOAT,
    "auto_pad": AttributeProto.STRING,
    "approximate": AttributeProto.STRING,
}
"""By name: all operators of the domain that have an attribute of that name agree on its type."""


def wrong_attribute(graph: GraphProto) -> str:
    """The first attribute of another type than its name has in the domain; empty for none."""
    for node in _nodes(graph):
        for each in node.attribute if node.domain == DOMAIN else ():
            wanted = TYPES.get(each.name, each.type)
            if each.type != wanted:
                kinds = AttributeProto.AttributeType
                return (
                    f"{node.op_type} {node.name or next(iter(node.output), '')!r}: attribute "
                    f"{each.name} is {kinds.Name(each.type)}, not {kinds.Name(wanted)}"
                )
    return ""


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node of a graph and of the graphs in its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
            for each in attribute.graphs:
                yield from _nodes(each)
