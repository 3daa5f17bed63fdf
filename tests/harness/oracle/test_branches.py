"""If: the oracle follows the branch that its condition chooses, into what lies around it."""

import numpy as np
import onnx
import pytest
from onnx import parser

from harness.oracle import Oracle, Silent

HEAD = '<ir_version: 8, opset_import: ["": 17]>'
X = np.array([-3.0, 0.25, 5.0], np.float32)
SCALES = "<float s = {0.5}, uint8 z = {3}>"


def model(body: str, inputs: str = "float[3] x, bool c") -> onnx.ModelProto:
    parsed = parser.parse_model(f"{HEAD} g ({inputs}) => (uint8[3] y) {SCALES} {{ {body} }}")
    onnx.checker.check_model(parsed, full_check=True)
    return parsed


def codes(proto: onnx.ModelProto, **inputs: np.ndarray) -> list[int]:
    found = Oracle(proto).allowed(inputs)["y"]
    assert (found.low == found.high).all()
    return [int(each) for each in found.low]


CHOICE = """
  t = Neg(x)
  y = If(c) <
    then_branch = a () => (uint8[3] p) { p = QuantizeLinear(x, s, z) },
    else_branch = b () => (uint8[3] q) { q = QuantizeLinear(t, s, z) }
  >
"""


def test_the_branch_that_is_chosen_reads_tensors_and_constants_around_it() -> None:
    assert codes(model(CHOICE), x=X, c=np.array(True)) == [0, 3, 13]
    assert codes(model(CHOICE), x=X, c=np.array(False)) == [9, 3, 0]


def test_a_condition_may_be_computed_from_what_is_known() -> None:
    body = """
      n = Size(x)
      k = Constant <value_int: int = 3> ()
      c = Equal(n, k)
    """
    assert codes(model(body + CHOICE, "float[3] x"), x=X) == [0, 3, 13]


def test_a_branch_holds_constants_of_its_own_and_branches() -> None:
    proto = model(
        """
        y = If(c) <
          then_branch = a () => (uint8[3] p) {
            two = Constant <value_float: float = 2.0> ()
            u = Mul(x, two)
            p = If(c) <
              then_branch = e () => (uint8[3] r) { r = QuantizeLinear(u, s, z) },
              else_branch = f () => (uint8[3] w) { w = QuantizeLinear(x, s, z) }
            >
          },
          else_branch = b () => (uint8[3] q) { q = QuantizeLinear(x, s, z) }
        >
        """
    )
    assert codes(proto, x=X, c=np.array(True)) == [0, 4, 23]
    assert codes(proto, x=X, c=np.array(False)) == [0, 3, 13]


def test_a_condition_in_doubt_is_not_judged() -> None:
    body = """
      h = Sigmoid(x)
      m = ReduceMax <keepdims: int = 0> (h)
      k = Constant <value_float: float = 0.99330714> ()
      c = Less(m, k)
    """
    with pytest.raises(Silent, match="is computed, and no value of it is known"):
        Oracle(model(body + CHOICE, "float[3] x")).allowed({"x": X})


def test_a_constant_may_come_through_an_identity() -> None:
    proto = model(
        "v = Identity(s)\n c = Not(d)\n y = QuantizeLinear(x, v, z)", "float[3] x, bool d"
    )
    assert codes(proto, x=X, d=np.array(True)) == [0, 3, 13]
