"""R54: ``Pad -> Conv | QLinearConv | AveragePool`` takes the pads along.

The border must be what the operator pads with itself: real 0 for Conv, the code of the zero point for
QLinearConv, and for AveragePool one that counts (count_include_pad). MaxPool's own border never wins,
so that a Pad in front of it is something else.
"""

from typing import Any

import numpy as np

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """An operator with pads of its own behind a Pad."""
    pad = view.producer(node.inputs[0], "Pad")
    if pad is None:
        return None
    if refusal := single_consumer(view, pad.outputs[0]):
        return refusal
    pads = _pads(view, pad)
    if isinstance(pads, Refusal):
        return pads
    if any(pads) and (refusal := _why_another_border(view, pad, node)):
        return refusal
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        return Refusal("G11", f"auto_pad of {node.id} depends on the size that {pad.id} makes")
    own: Any = node.attributes.get("pads")
    total = (
        pads
        if not isinstance(own, tuple)
        else tuple(int(a) + int(b) for a, b in zip(pads, own, strict=True))
    )
    attributes: dict[str, Any] = {**node.attributes, "pads": total}
    if node.op == "AveragePool":
        if (
            isinstance(own, tuple)
            and any(own)
            and not node.attributes.get("count_include_pad", 0)
        ):
            return Refusal(
                "G11", f"{node.id} does not count its own pads, but those of {pad.id}"
            )
        if node.attributes.get("ceil_mode", 0):
            return Refusal("G11", f"ceil_mode of {node.id} may reach behind the pads")
        attributes["count_include_pad"] = 1
    same = Node(node.id, node.op, (pad.inputs[0], *node.inputs[1:]), node.outputs, attributes)
    return Replacement((pad, node), (same,))


def _why_another_border(view: View, pad: Node, node: Node) -> Refusal | None:
    if pad.attributes.get("mode", "constant") != "constant":
        return Refusal("G11", f"{pad.id} repeats values, {node.id} pads with one")
    value: Any = pad.attributes.get("value", 0.0)
    if pad.input(2):
        constant = view.constant(pad.input(2))
        if constant is None:
            return Refusal("G1", f"the value {pad.input(2)!r} of {pad.id} is computed")
        value = constant.reshape(()).item()
    wanted: Any = 0
    if node.op == "QLinearConv":
        zero = view.constant(node.input(2))
        wanted = None if zero is None else int(zero.reshape(()))
    if value != wanted:
        reason = f"{pad.id} pads with {value}, {node.id} with {wanted}"
        return view.refuse("G11", reason, "value")
    return None


def _pads(view: View, pad: Node) -> tuple[int, ...] | Refusal:
    """Spatial begins and ends; nothing may be padded elsewhere, or cut."""
    given: Any = pad.attributes.get("pads")
    if given is None:
        constant = view.constant(pad.input(1))
        if constant is None or pad.input(3):
            return Refusal(
                "G1", f"the pads or axes of {pad.id} are computed, or axes are named"
            )
        given = constant.tolist()
    pads = np.array(given, np.int64).reshape(2, -1)
    if (pads < 0).any() or pads[:, :2].any() or pads.shape[1] < 3:
        return Refusal("G11", f"{pad.id} pads {pads.tolist()}: outside the image, or cuts it")
    return tuple(int(n) for n in pads[:, 2:].reshape(-1))


RULE = Rule(
    "R54",
    "pads taken along by the next operator",
    "X0",
    ("Conv", "QLinearConv", "AveragePool"),
    match,
)
