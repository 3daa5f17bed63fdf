"""Sums and means along the second or the last of three axes, quantized by image: what that gives, and where it shows."""

from typing import Any

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import Session
from engine.faults.images_for_channels import FAULTS
from harness.emulate import Emulator
from harness.suspect import suspects
from tests.engine.models import Array
from tests.harness.benches import bench_of

(FAULT,) = FAULTS

TEXT = """<ir_version: 9, opset_import: ["" : 21]>
g ({kind}[{shape}] x) => ({kind}[n, c, 1] y)
<float a = {{{a}}}, {kind} b = {{{b}}}, int64[1] c = {{{axis}}}, float d = {{{d}}}, {kind} e = {{{e}}}> {{
  f = DequantizeLinear (x, a, b) g = {op} <keepdims = {keep}> (f, c) {then}
}}"""
QUANTIZED = "y = QuantizeLinear (g, d, e)"


def reduced(x: Array, op: str = "ReduceSum", **changed: Any) -> Case:
    given: dict[str, Any] = {"a": -1.0, "b": 0, "d": 1.0, "e": 100, "axis": 2, "keep": 1}
    given |= {"kind": x.dtype.name, "shape": ", ".join(map(str, x.shape)), "then": QUANTIZED}
    text = TEXT.format(op=op, **given | changed)
    return Case(onnx.parser.parse_model(text).SerializeToString(), {"x": x})


def codes(*shape: int, dtype: type = np.uint8) -> Array:
    return np.random.default_rng(sum(shape)).integers(0, 30, shape).astype(dtype)


def run(case: Case, *faults: str, fusion: str = "off") -> Array:
    return Session(case.model, faults=faults, fusion=fusion).run(case.inputs)["y"]


def rows(case: Case) -> list[list[int]]:
    """What the fault makes of each image."""
    found: list[list[int]] = run(case, FAULT.key)[..., 0].tolist()
    return found


def test_images_beyond_the_channels_read_what_is_behind_them() -> None:
    """OpenVINO 2026.4.1 gives these for 3 channels: a factor of 1 and a shift of 0 for image 6."""
    x = codes(9, 3, 2)
    sums = x.astype(int).sum(axis=2)
    right = 100 - sums
    assert run(reduced(x))[..., 0].tolist() == right.tolist()
    wrong = [[0] * 3, [0] * 3, [0] * 3, sums[6].tolist(), [0] * 3, [0] * 3]
    assert rows(reduced(x)) == [*right[:3].tolist(), *wrong]


def test_a_shift_of_a_mean() -> None:
    """The same of positive scales: x + 7 is 2 s + 1, image 3 has the factor 1 of a limit of 2."""
    x = codes(8, 3, 2)
    means = (x.astype(int) - 3).sum(axis=2)
    case = reduced(x, "ReduceMean", a=0.5, b=3, d=0.25, e=7)
    assert rows(case) == [
        *(means + 7)[:3].tolist(),
        [3] * 3,
        [2] * 3,
        [2] * 3,
        [1] * 3,
        [0] * 3,
    ]


def test_one_channel_with_a_zero_point() -> None:
    """Image 1 has the shift for its factor, the others have nothing."""
    x = np.array([36, 44, 23, 39], np.uint8).reshape(4, 1, 1)
    assert rows(reduced(x, b=3, e=52)) == [[19], [184], [52], [52]]


def test_findings_of_campaigns() -> None:
    x = np.zeros((3, 2, 1), np.uint8)
    assert rows(reduced(x, e=1)) == [[1, 1], [1, 1], [0, 0]]
    x = np.zeros((6, 5, 1), np.uint8)
    means = reduced(x, "ReduceMean", a=0.0078125, b=1, e=0)
    assert rows(means) == [[0] * 5] * 5 + [[1] * 5]


def test_along_the_second_axis_there_is_one_channel() -> None:
    """OpenVINO 2026.4.1 gives these: image 1 has -1 times -3, the shift, for its factor."""
    x = np.array([[10, 5, 3, 9, 3], [4, 7, 6, 1, 0]], np.uint8)[..., np.newaxis]
    assert rows(reduced(x, b=1, e=0, axis=1)) == [[0], [90]]
    x = np.array([[[14, -10, -10]], [[6, 5, -7]], [[18, -12, 16]]], np.int8)
    means = reduced(x, "ReduceMean", b=3, e=0, axis=1)
    assert run(means, FAULT.key)[:, 0].tolist() == [[-11, 13, 13], [18, 15, -21], [0, 0, 0]]


UP: dict[str, Any] = {"a": 0.5, "b": 3, "d": 0.25, "e": 7}
SHOWS = {
    "negative scale": reduced(codes(4, 3, 2)),
    "mean": reduced(codes(4, 3, 2), "ReduceMean"),
    "last axis": reduced(codes(4, 3, 2), axis=-1),
    "second axis": reduced(codes(4, 3, 2), axis=1, b=3),
    "without keepdims": reduced(codes(4, 3, 2), keep=0),
    "int8": reduced(codes(4, 3, 2, dtype=np.int8)),
    "shift of a mean": reduced(codes(4, 3, 2), "ReduceMean", **UP),
    "one channel with a zero point": reduced(codes(4, 1, 2), b=3),
    "no shift": reduced(codes(4, 3, 2), a=-0.5, e=0, b=29),
    "zero point of y left out": reduced(
        codes(4, 3, 2), b=29, then="y = QuantizeLinear (g, d)"
    ),
}
TWO_READERS = """h = QuantizeLinear (g, d, e) k = DequantizeLinear (h, d, e) l = Add (k, g)
  y = QuantizeLinear (l, d, e)"""
QUIET = {
    "as many images as channels": reduced(codes(3, 3, 2)),
    "positive scale": reduced(codes(4, 3, 2), a=1.0),
    "shift of a sum": reduced(codes(4, 3, 2), **UP),
    "mean without a shift": reduced(codes(4, 3, 2), "ReduceMean", **UP | {"b": 0}),
    "one channel": reduced(codes(4, 1, 2)),
    "shift of a mean of one channel": reduced(codes(4, 1, 2), "ReduceMean", **UP),
    "second axis": reduced(codes(4, 3, 2), axis=1),
    "first axis": reduced(codes(4, 3, 2), axis=0, b=3, e=0),
    "four axes": reduced(codes(4, 3, 2, 2), axis=3),
    "other reduction": reduced(codes(4, 3, 2), "ReduceMax"),
    "all is the lowest code": reduced(codes(4, 3, 2), d=1e6, e=0),
    "an activation in between": reduced(
        codes(4, 3, 2), then=f"h = Neg (g) {QUANTIZED.replace('g', 'h')}"
    ),
    "another reader": reduced(codes(4, 3, 2), then=TWO_READERS),
}


@pytest.mark.parametrize("name", SHOWS)
def test_it_shows_where_some_code_is_another_one(name: str) -> None:
    case = SHOWS[name]
    assert Emulator(case, "spec").acts(FAULT)
    assert (run(case) != run(case, FAULT.key)).any()


@pytest.mark.parametrize("name", QUIET)
def test_it_has_no_place_elsewhere(name: str) -> None:
    case = QUIET[name]
    assert not Emulator(case, "spec").acts(FAULT)
    assert (run(case) == run(case, FAULT.key)).all()


@pytest.mark.parametrize("shape", ["n, 3, 2", "n, 1, 2"])
def test_where_only_a_run_tells_how_many_images_there_are_it_may_show(shape: str) -> None:
    case = reduced(codes(2, 3, 2), shape=shape)
    assert Emulator(case, "spec").acts(FAULT)


def test_it_is_named() -> None:
    with bench_of(f"engine:fault={FAULT.key}") as bench:
        spec, case = bench.specs[0], reduced(codes(5, 3, 2))
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
    assert suspect.signature.cause == FAULT.key
    assert suspect.matches[0].title == FAULT.title
