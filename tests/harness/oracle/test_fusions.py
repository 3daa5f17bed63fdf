"""Q/DQ graphs that engines turn into one integer operation: its formula must be allowed too."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import helper

from corpus.case import Array
from harness.oracle import Oracle, judge
from tests.harness.oracle import reference
from tests.harness.oracle.models import SCALES, Spec, constant, draw, model, qdq, scale

F = np.float32


def test_relu_and_clip_in_the_codes_of_the_output() -> None:
    """A fused kernel clamps codes to the quantized bounds; many bounds here are ties."""
    for index in range(100):
        rng = np.random.default_rng([30, index])
        spec = draw(rng, SCALES[index % 5], small=bool(index % 2))
        ends = np.sort(rng.integers(-8, 9, 2) / 2) * float(spec.y_scale)
        bounds = (float(F(ends[0])), float(F(ends[1])))
        graphs = {name: qdq(spec, activation=name, clip=bounds) for name in ("Clip", "Relu")}
        clip, relu = (Oracle(each).allowed({"x": spec.x})["y"] for each in graphs.values())
        for engine in (reference.onnxruntime, reference.qnnpack, reference.fbgemm):
            codes = engine(spec).astype(np.int64)
            for reciprocal in (False, True):
                verdict = judge(clip, clamped(spec, codes, bounds, reciprocal=reciprocal))
                assert not verdict.is_wrong, (verdict, spec, bounds)
            positive = reference.saturate(np.maximum(codes, spec.y_zero), spec.y_dtype)
            assert not judge(relu, positive).is_wrong


def clamped(
    spec: Spec, codes: Array, bounds: tuple[float, float], *, reciprocal: bool
) -> Array:
    steps = np.asarray(bounds, F)
    steps = steps * (F(1) / spec.y_scale) if reciprocal else steps / spec.y_scale
    low, high = (np.rint(steps) + spec.y_zero).astype(np.int64)
    return reference.saturate(np.minimum(np.maximum(codes, low), high), spec.y_dtype)


def binary(
    op: str, rng: np.random.Generator, kind: str
) -> tuple[object, dict[str, Array], dict[str, F]]:
    """``q(op(dq(a), dq(b)))`` on 8-bit codes with drawn parameters."""
    scales = [scale(rng, kind, -5, -2) for _ in range(3)]
    if op == "Mul":
        scales[2] = F(scales[2] / 4)
    zeros = [int(z) for z in rng.integers(0, 256, 3)]
    parameters = dict(zip(("as", "bs", "cs"), scales, strict=True))
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "as", "az"], ["ad"]),
        helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bd"]),
        helper.make_node(op, ["ad", "bd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "cs", "cz"], ["y"]),
    ]
    constants = [constant(name, value) for name, value in parameters.items()]
    constants += [
        constant(n, z, np.uint8) for n, z in zip(("az", "bz", "cz"), zeros, strict=True)
    ]
    codes = rng.integers(0, 256, (2, 1, 200)).astype(np.uint8)
    graph = model(nodes, constants, dict.fromkeys("ab", ("uint8", (1, 200))), {"y": "uint8"})
    parameters |= dict(zip(("az", "bz", "cz"), map(F, zeros), strict=True))
    return graph, {"a": codes[0], "b": codes[1]}, parameters


def expanded_add(a: Array, b: Array, p: dict[str, F]) -> Array:
    """onnxruntime and OpenCV: every zero point folded into one constant."""
    ra, rb = p["as"] / p["cs"], p["bs"] / p["cs"]
    constant_term = p["cz"] - (ra * p["az"] + rb * p["bz"])
    return np.rint(ra * a + (rb * b + constant_term))


def plain_add(a: Array, b: Array, p: dict[str, F]) -> Array:
    """torch: dequantize by ``s q - s z``, reciprocal of the output's scale."""
    da = p["as"] * a - p["as"] * p["az"]
    db = p["bs"] * b - p["bs"] * p["bz"]
    return np.rint((da + db) * (F(1) / p["cs"])) + p["cz"]


def fused_mul(a: Array, b: Array, p: dict[str, F]) -> Array:
    return np.rint((a - p["az"]) * (b - p["bz"]) * (p["as"] * p["bs"] / p["cs"]) + p["cz"])


def plain_mul(a: Array, b: Array, p: dict[str, F]) -> Array:
    product = (p["as"] * (a - p["az"])) * (p["bs"] * (b - p["bz"]))
    return np.rint(product / p["cs"]) + p["cz"]


@pytest.mark.parametrize(
    ("op", "formula"),
    [("Add", expanded_add), ("Add", plain_add), ("Mul", fused_mul), ("Mul", plain_mul)],
)
def test_add_and_mul(op: str, formula: Callable[[Array, Array, dict[str, F]], Array]) -> None:
    for index in range(150):
        kind = SCALES[index % 5]
        graph, inputs, parameters = binary(op, np.random.default_rng([31, index]), kind)
        allowed = Oracle(graph).allowed(inputs)["y"]
        codes = formula(inputs["a"].astype(F), inputs["b"].astype(F), parameters)
        verdict = judge(allowed, reference.saturate(codes, "uint8"))
        # Only a zero point added before the rounding may be found, on exact ties.
        inside = formula in (expanded_add, fused_mul)
        assert verdict.kind in ("exact", "tie", *["rounding-mode"] * inside), (
            verdict,
            parameters,
        )
        assert allowed.slack < 0.5


def test_concat_through_tables() -> None:
    """Each code requantized on its own, equal parameters or not."""
    for index in range(50):
        rng = np.random.default_rng([32, index])
        s, t = scale(rng, SCALES[index % 5], -5, -2), scale(rng, SCALES[index % 5], -5, -2)
        nodes = [
            helper.make_node("DequantizeLinear", ["a", "s"], ["ad"]),
            helper.make_node("DequantizeLinear", ["b", "t"], ["bd"]),
            helper.make_node("Concat", ["ad", "bd"], ["c"], axis=1),
            helper.make_node("QuantizeLinear", ["c", "t", "z"], ["y"]),
        ]
        constants = [constant("s", s), constant("t", t), constant("z", 3, np.uint8)]
        every = np.arange(256, dtype=np.uint8).reshape(1, 256)
        graph = model(
            nodes, constants, dict.fromkeys("ab", ("uint8", (1, 256))), {"y": "uint8"}
        )
        allowed = Oracle(graph).allowed({"a": every, "b": every})["y"]
        real = np.concatenate([every.astype(F) * s, every.astype(F) * t], 1)
        codes = reference.saturate(np.rint(real / t) + 3, "uint8")
        assert not judge(allowed, codes).is_wrong
        assert np.array_equal(codes[:, 256:], np.minimum(every.astype(int) + 3, 255))


def test_a_doubled_pair_changes_nothing() -> None:
    """Q(DQ(q)) with the same parameters gives q back, whatever the scale, also undecided codes."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("QuantizeLinear", ["d", "s", "z"], ["y"]),
    ]
    for index in range(100):
        rng = np.random.default_rng([33, index])
        s = scale(rng, SCALES[index % 5], -9, 4)
        constants = [constant("s", s), constant("z", index, np.uint8)]
        graph = model(nodes, constants, {"x": ("float32", (1, 400))}, {"y": "uint8"})
        x = (F(s) * (np.arange(400) / 2 - 60)).astype(F)[None]
        found = Oracle(graph).allowed({"x": x}, ["q", "y"])
        assert np.array_equal(found["q"].low, found["y"].low)
        assert np.array_equal(found["q"].high, found["y"].high)
