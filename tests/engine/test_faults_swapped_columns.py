"""Quantized products in a row, whose columns have constants of their own, with the values of OpenVINO 2026.4.1."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import Session
from engine.faults import find
from harness.emulate import Emulator

KEY = "F175"
CODES = np.array([[-90, 0, 1, -1, 0, 0], [10, 1, -2, 0, 0, 0]], np.int8)
SECOND = "u = MatMul (k, v)"
PAIR = "q = QuantizeLinear (p, f, z) k = DequantizeLinear (q, f, z)"
LAST = "y = QuantizeLinear (u, g, o)"
INTEGERS = "<float s = {1}, float f = {1}, float n = {7}, float two = {2}"


def in_a_row(
    zero: int = 0,
    own: int = 0,
    steps: float = 1,
    zero_x: int = 0,
    first: str = "p = MatMul (d, e)",
    between: str = PAIR,
    second: str = SECOND,
    last: str = LAST,
    outputs: str = "int8[A, B] y",
    columns: tuple[float, ...] = (1,),
    weights: tuple[int, ...] = (2, -1, 0, 3, 1, 4),
    rows: int = 2,
    kind: str = "int8",
    shape: str = "",
) -> Case:
    """Codes times the identity, quantized around ``zero``, times ``weights`` in row 0 and others in row 1."""
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 21]>
g (int8[{shape or f"{rows}, 6"}] x) => ({outputs})
{INTEGERS}, int8 i = {{{zero_x}}}, {kind} z = {{{zero}}}, float g = {{{steps}}}, int8 o = {{{own}}}> {{
  d = DequantizeLinear (x, s, i) e = DequantizeLinear (a, s) v = DequantizeLinear <axis = 1> (w, c)
  {first} {between} {second} {last}
}}""")
    matrix = np.zeros((6, len(weights)), np.int8)
    matrix[0] = 1
    matrix[1:, 0] = 3
    matrix[1] = weights
    square = np.eye(6, dtype=np.int8)
    square[5] = [0, 1, 0, 2, -1, 1]
    scales = np.array(columns if len(columns) > 1 else columns[0], np.float32)
    given = {
        "a": square,
        "w": matrix,
        "c": scales,
        "r": np.arange(6, dtype=np.float32),
        "o1": np.int8(1),
    }
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in given.items()
    )
    return Case(model.SerializeToString(), {"x": np.resize(CODES, (rows, 6))})


def told(case: Case, key: str = "") -> list[float]:
    """What is foretold of the first output."""
    found = Emulator(case, "spec").outputs(find(key) if key else None)
    return next(iter(found.values())).reshape(-1).tolist()


SCALES = (1.0, 0.5, 2.0, 1.0, 0.25, 1.0)
WRONG = {
    "a zero point": in_a_row(zero=1),
    "a negative zero point": in_a_row(zero=-3, steps=4),
    "a zero point of the result": in_a_row(zero=1, own=10, steps=0.5),
    "uint8": in_a_row(zero=129, kind="uint8"),
    "columns of their own scales": in_a_row(columns=SCALES),
    "the same, and zero points": in_a_row(columns=SCALES, zero=5, own=-7, steps=3),
    "a zero point of x": in_a_row(zero_x=1),
    "both": in_a_row(zero_x=1, zero=1),
    "a Gemm": in_a_row(zero=1, second="u = Gemm (k, v)"),
    "transposed weights": in_a_row(
        zero=1, second="t = Transpose (v) u = Gemm <transB = 1> (k, t)"
    ),
    "a Relu in front": in_a_row(zero=1, first="m = MatMul (d, e) p = Relu (m)"),
    "a Relu behind": in_a_row(columns=SCALES, second="m = MatMul (k, v) u = Relu (m)"),
    "a bias in front": in_a_row(zero=1, first="m = MatMul (d, e) p = Add (m, r)"),
    "a bias behind": in_a_row(zero_x=1, second="m = MatMul (k, v) u = Add (m, r)"),
    "a bias of a Gemm behind": in_a_row(zero_x=1, zero=1, second="u = Gemm (k, v, r)"),
    "a bias and scales behind": in_a_row(
        zero_x=1, zero=1, columns=SCALES, second="m = MatMul (k, v) u = Add (m, r)"
    ),
    "three products": in_a_row(
        zero=1,
        second="m = MatMul (k, v) b = QuantizeLinear (m, n, z) l = DequantizeLinear (b, s, i) u = MatMul (l, e)",
    ),
    "fewer columns": in_a_row(zero_x=1, zero=1, weights=(2, -1, 3, 5)),
    "other parameters behind": in_a_row(
        zero=1, between="q = QuantizeLinear (p, n, z) k = DequantizeLinear (q, f, z)"
    ),
    "eight rows": in_a_row(zero=1, rows=8),
    "in front of a real result": in_a_row(
        zero_x=1, second="u = MatMul (k, v)", last="", outputs="float[A, B] u"
    ),
    "scales of a real result": in_a_row(
        zero_x=1, columns=SCALES, last="", outputs="float[A, B] u"
    ),
    "scales and zero points of a real result": in_a_row(
        zero_x=1, zero=1, columns=SCALES, last="", outputs="float[A, B] u"
    ),
}

EIGHT = [
    "m1 = MatMul (d, e)",
    *(
        f"b{n} = QuantizeLinear (m{n}, n, o) l{n} = DequantizeLinear (b{n}, f, o) m{n + 1} = MatMul (l{n}, e)"
        for n in range(1, 7)
    ),
    "p = Relu (m7)",
]
QUIET = {
    "nothing of their own": in_a_row(own=2, steps=2),
    "columns alike": in_a_row(zero=1, weights=(-8, 4, 4, 4)),
    "one column": in_a_row(zero=1, weights=(2,)),
    "nine rows": in_a_row(zero=1, rows=9),
    "an open batch": in_a_row(zero=1, shape="N, 6"),
    "eight products": in_a_row(zero=1, first=" ".join(EIGHT)),
    "one product": in_a_row(zero=1, first="p = Relu (d)"),
    "a LeakyRelu": in_a_row(zero=1, first="m = MatMul (d, e) p = LeakyRelu (m)"),
    "a real result": in_a_row(zero=1, last="", outputs="float[A, B] u"),
    "a second reader": in_a_row(
        zero=1,
        last="b = Abs (k) h = ReduceMax <keepdims = 1> (b) j = Add (u, h) y = QuantizeLinear (j, g, o)",
    ),
    "codes that are an output": in_a_row(zero=1, outputs="int8[A, B] y, int8[A, C] q"),
    "a bias": in_a_row(zero=1, second="m = MatMul (k, v) u = Add (m, r)"),
    "a bias of a Gemm": in_a_row(zero=1, second="u = Gemm (k, v, r)"),
    "a Relu of a real result": in_a_row(  # it is wrong, in a way that is not known
        zero_x=1,
        columns=SCALES,
        second="m = MatMul (k, v) u = Relu (m)",
        last="",
        outputs="float[A, B] u",
    ),
    "weights around 1": in_a_row(
        zero=1, second="t = DequantizeLinear (w, s, o1) u = MatMul (k, t)"
    ),
}

OPENVINO = {
    "a zero point": "-128 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "a negative zero point": "-128 -128 -128 -128 -128 -128 -128 127 127 127 127 -94",
    "a zero point of the result": "-128 -128 -128 -128 -128 -128 73 58 59 62 60 63",
    "uint8": "127 -128 127 127 127 127 127 127 127 127 127 127",
    "columns of their own scales": " ".join(["-128"] * 12),
    "the same, and zero points": "-128 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "a zero point of x": "-128 -126 -128 -128 -128 -128 -15 0 127 127 127 127",
    "both": "-128 -128 -128 -128 -128 -128 -128 -1 127 127 127 127",
    "a Gemm": "-128 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "transposed weights": "-128 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "a Relu in front": "127 0 127 127 127 127 127 127 127 127 127 127",
    "a Relu behind": " ".join(["-128"] * 12),
    "a bias in front": "-128 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "a bias behind": "-128 -126 -128 -128 -128 -128 -128 -126 -128 -128 -128 -128",
    "a bias of a Gemm behind": " ".join(["-128"] * 12),
    "a bias and scales behind": "127 -127 -128 -128 -128 -128 127 -128 -128 -128 -128 -128",
    "three products": "-128 -128 -128 -128 0 -128 127 127 127 127 0 127",
    "fewer columns": "-128 -128 -128 -128 -128 -1 127 127",
    "other parameters behind": "127 -128 -128 -128 -128 -128 127 127 127 127 127 127",
    "eight rows": " ".join(["-128 -128 -128 -128 -128 -128 127 127 127 127 127 127"] * 4),
    "in front of a real result": "-138 -126 -128 -134 -130 -136 -15 0 127 508 254 635",
    "scales of a real result": " ".join(["243840 0 16256 64000 32768 81280"] * 2),
    "scales and zero points of a real result": " ".join(
        ["262016 16256 32640 80766 49278 98176"] * 2
    ),
}
"""What it gives of them."""


@pytest.mark.parametrize("name", WRONG)
def test_constants_are_taken_in_reverse_order(name: str) -> None:
    given = [float(each) for each in OPENVINO[name].split()]
    assert told(WRONG[name], KEY) == given != told(WRONG[name])


@pytest.mark.parametrize("name", QUIET)
def test_it_has_no_place_where_openvino_is_right(name: str) -> None:
    assert not Emulator(QUIET[name], "spec").acts(find(KEY))
    assert told(QUIET[name])


def test_other_quantizers_add_their_zero_point_first() -> None:
    """The pair in front rounds a half with its zero point inside."""
    case = in_a_row(zero=1, steps=0.25, between=PAIR.replace("f, z", "two, z"))
    assert told(case, KEY)[6:] == [120, -33, -12, 43, 11, 50]
    assert told(case, "F175.each")[6:] == [120, -48, -12, 43, 29, 50]


def test_it_shows_in_the_quantization_and_behind_it() -> None:
    places = Emulator(WRONG["in front of a real result"], "spec").places(find(KEY))
    assert places == ("q", "k")


@pytest.mark.parametrize(("columns", "places"), [(6, ()), (4, ("q", "k")), (7, ("q", "k"))])
def test_constants_of_fewer_columns_end_in_other_memory(
    columns: int, places: tuple[str, ...]
) -> None:
    """Those of the first product's six are in the place of the second's scales, and these in theirs."""
    case = in_a_row(
        zero_x=1,
        weights=(2, -1, 0, 3, 1, 4, 7)[:columns],
        columns=tuple(np.arange(1.0, 1 + columns)),
        last="",
        outputs="float[A, B] u",
    )
    assert Emulator(case, "spec").places(find("F175.beside")) == places


def test_a_pair_that_becomes_one_requantization_is_left_alone() -> None:
    """QuantizeLinear's rule is asked for it, too."""
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 18]>
g (int8[4] x) => (int8[4] y) <float s = {2}, int8 z = {0}, float t = {4}, int8 o = {1}> {
  r = DequantizeLinear (x, s, z) y = QuantizeLinear (r, t, o)
}""")
    given = {"x": np.array([-3, -1, 1, 3], np.int8)}
    for key in ("F175", "F175.each"):
        assert Session(model, faults=(key,)).run(given)["y"].tolist() == [-1, 1, 1, 3]
    assert Session(model, faults=("F75",)).run(given)["y"].tolist() == [0, 0, 2, 2]


def test_codes_without_a_zero_point_are_of_the_type_that_is_asked_for() -> None:
    """output_dtype 3 is int8."""
    named = in_a_row(zero_x=1, steps=7)
    asked = in_a_row(
        zero_x=1, steps=7, last="y = QuantizeLinear <output_dtype: int = 3> (u, g)"
    )
    assert told(asked, KEY) == told(named, KEY) != told(named)
