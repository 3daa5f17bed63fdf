"""R63: two Transposes in a row are one, or none where the second undoes the first.

Layouts that were pushed towards each other by R30 and R31 (channels first, channels last) meet here.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node


def match(view: View, second: Node) -> Answer:
    """A Transpose of a Transpose."""
    first = view.producer(second.inputs[0], "Transpose")
    if first is None:
        return None
    inner, outer = first.attributes.get("perm"), second.attributes.get("perm")
    if not isinstance(inner, tuple) or not isinstance(outer, tuple):
        return Refusal("G11", f"{first.id} or {second.id} leaves perm to its default")
    perm = tuple(int(inner[int(i)]) for i in outer)
    source = first.inputs[:1]
    if perm == tuple(range(len(perm))):
        merged = Node(second.id, "Identity", source, second.outputs, {})
    else:
        merged = Node(second.id, "Transpose", source, second.outputs, {"perm": perm})
    return Replacement((first, second), (merged,))


RULE = Rule("R63", "Transposes that meet", "X0", ("Transpose",), match)
