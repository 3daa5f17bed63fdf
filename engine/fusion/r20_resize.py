"""R20: ``D -> Resize -> Q`` on codes: nearest moves them, linear rounds once (QLinearResize).

Nearest keeps every element (X0). Linear weights sum to 1, so that zero points commute with them and
``y = sat(rne(sum W (q - xz) * xs/ys) + yz)``. Cubic overshoots, antialiasing and extrapolation have
other weights or values from outside; they stay float (onnxruntime#28448 has what happens else).
"""

from engine.fusion.guards import per_tensor, read_affine, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import only_quantize
from engine.fusion.r19_movement import on_codes
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, resize: Node) -> Answer:
    """A Resize between a DequantizeLinear and a QuantizeLinear."""
    dequantize = view.producer(resize.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    quantize = only_quantize(view, resize.outputs[0])
    if quantize is None or isinstance(quantize, Refusal):
        return quantize
    mode = str(resize.attributes.get("mode", "nearest"))
    if resize.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        return Refusal("G11", f"{resize.id} takes values from outside the image")
    if mode == "nearest":
        return on_codes(view, dequantize, resize, quantize)
    if mode != "linear" or resize.attributes.get("antialias", 0):
        return Refusal(
            "G11", f"{resize.id} is {mode}, antialiased or not; only plain linear is fused"
        )
    return _linear(view, dequantize, resize, quantize)


def _linear(view: View, dequantize: Node, resize: Node, quantize: Node) -> Answer:
    x, y = read_affine(view, dequantize), read_affine(view, quantize)
    if isinstance(x, Refusal):
        return x
    if isinstance(y, Refusal):
        return y
    if refusal := (
        per_tensor(dequantize, x)
        or per_tensor(quantize, y)
        or own_dequantize(view, dequantize)
    ):
        return refusal
    names, constants = with_zero_points(view, ((dequantize, x), (quantize, y)))
    inputs = (dequantize.inputs[0], *names[0], *names[1], *resize.inputs[1:])
    node = Node(resize.id, "QLinearResize", inputs, quantize.outputs, resize.attributes)
    return Replacement((dequantize, resize, quantize), (node,), constants)


RULE = Rule("R20", "Resize of codes", "X1", ("Resize",), match)
