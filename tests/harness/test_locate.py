"""Each operation is judged on what it was seen to read, unless that has a shape that the model does not know."""

import numpy as np
import onnx

from harness.locate import culprits, locate
from harness.outcome import FusedOp, Tapped

MODEL = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 13]>
chain (float[2] x) => (float[2] c, float[2] d) {
   a = Neg (x)
   b = Neg (a)
   c = Neg (b)
   d = Abs (x)
}""")
PLAN = tuple(
    FusedOp(each.op_type, "", (), tuple(each.input), tuple(each.output))
    for each in MODEL.graph.node
)
WRONG, RIGHT = np.array([9, 9], np.float32), np.array([1, 2], np.float32)


def located(
    **seen: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> tuple[list[str], ...]:
    """The tensors that are judged, and those that are wrong."""
    rows = locate(MODEL, Tapped({"x": RIGHT, **seen}, PLAN, "native", confirmed=True))
    return [each.tensor for each in rows], [each.tensor for each in culprits(rows)]


def test_what_is_made_of_wrong_values_is_judged_on_them() -> None:
    assert located(a=WRONG, b=-WRONG, c=WRONG, d=WRONG) == (["a", "b", "c", "d"], ["a", "d"])


def test_what_is_made_of_a_tensor_of_another_shape_is_not_judged() -> None:
    assert located(a=WRONG[:1], b=WRONG[:1], c=WRONG, d=WRONG) == (["a", "d"], ["a", "d"])
