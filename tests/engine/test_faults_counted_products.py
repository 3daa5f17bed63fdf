"""Products with a constant whose codes are counted from the lowest on: what that gives, and where it shows."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import Session
from engine.faults import find
from engine.faults.counted_products import FAULTS
from harness.emulate import Emulator
from harness.oracle import Oracle
from harness.oracle.verdict import judge
from harness.suspect import suspects
from tests.engine.models import Array
from tests.harness.benches import bench_of

(FAULT,) = FAULTS
EVERY = np.arange(256)

TEXT = """<ir_version: 8, opset_import: ["" : 21]>
g ({dtype}[256] x) => ({dtype}[256] y)
<float b = {{{b}}}, float c = {{{c}}}, float d = {{{d}}}, {dtype}[1] a = {{{a}}}, {dtype} z = {{{z}}}> {{
  e = DequantizeLinear (a, b) f = DequantizeLinear (x, c) g = {op} ({order}) y = QuantizeLinear (g, d, z)
}}"""


def product(
    a: int,
    b: float = 2**-8,
    c: float = 2**-8,
    d: float = 2**-8,
    z: int = 0,
    dtype: str = "uint8",
    op: str = "Mul",
    order: str = "e, f",
) -> Case:
    text = TEXT.format(a=a, b=b, c=c, d=d, z=z, dtype=dtype, op=op, order=order)
    x = (EVERY + (0 if dtype == "uint8" else -128)).astype(dtype)
    return Case(onnx.parser.parse_model(text).SerializeToString(), {"x": x})


def run(case: Case, *faults: str) -> Array:
    return Session(case.model, faults=faults).run(case.inputs)["y"]


@pytest.mark.parametrize("order", ["e, f", "f, e"])
def test_a_range_divided_by_the_factor_turns_a_tie(order: str) -> None:
    """64 * 206 / 256 is 51.5; 255 times the inverse of what 206 divides is a bit less."""
    case = product(206, order=order)
    wrong, right = run(case, FAULT.key), run(case)
    assert np.flatnonzero(wrong != right).tolist() == [64]
    assert (wrong[64], right[64]) == (51, 52)
    low, high = np.float32(0), np.float32(255 / 256) / np.float32(206 / 65536)
    counted = EVERY.astype(np.float32) * (np.float32(255) / (high - low))
    assert wrong.tolist() == np.minimum(np.rint(counted), 255).tolist()


SHOWS = {
    "one code": product(206),
    "odd zero point": product(128, z=3),
    "negative factor": product(-125, 0.03, 0.012, 0.03 * 0.012 * 2 * 5, 5, "int8"),
    "int8 from 0": product(9, 0.023100905, 0.047907423, 0.0088536385, 0, "int8"),
}
QUIET = {
    "exact inverse": product(204),
    "even zero point": product(128, z=4),
    "no product": product(206, op="Add"),
    "a square": product(206, order="f, f"),
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


def test_nothing_but_ties_is_wrong() -> None:
    case = product(206)
    allowed = Oracle(case.proto()).allowed(case.inputs)["y"]
    assert judge(allowed, run(case, FAULT.key)).kind == "rounding-mode"


def test_scales_whose_inverse_is_infinite_are_left_alone() -> None:
    case = product(3, 1e-30, 1e-20, 1e-3)
    assert (run(case) == run(case, FAULT.key)).all()


def test_it_is_named_as_the_rounding_that_it_is() -> None:
    with bench_of(f"engine:fault={FAULT.key}") as bench:
        spec, case = bench.specs[0], product(206)
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
    assert (suspect.signature.kind, suspect.signature.cause) == ("rounding-mode", "F75")
    assert suspect.matches[0].title == find(FAULT.key).title
