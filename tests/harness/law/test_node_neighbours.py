"""Neighbours of operators: valid, in the same words, small, with data that leave the words alone."""

from dataclasses import replace
from random import Random

import numpy as np
import onnx
import pytest

from corpus.case import Case
from generators.choices import RandomChoices
from generators.operators.node import FAMILIES, NodeSpec, Operand, build, describe, parameters
from harness.law.atoms import Atom
from harness.law.neighbours import Neighbourhood, fresh_data, without_data
from harness.law.node.space import MOST_ELEMENTS, aspects
from harness.oracle import Oracle, Silent

A = Operand("a", (3, 4), "uint8", (1.0,), (9,))
B = Operand("b", (4, 5), "int8", (0.5,), (2,), constant=True)
PRODUCT = NodeSpec("MatMul", (A, B), (Operand("y", (3, 5), "uint8", (4.0,), (3,)),))
POOL = NodeSpec(
    "AveragePool",
    (Operand("x", (1, 2, 5, 5), "uint8", (1.0,), (9,)),),
    (Operand("y", (1, 2, 4, 4), "uint8", (1.0,), (9,)),),
    (("kernel_shape", (2, 2)),),
)


def drawn(family: str, seed: int) -> NodeSpec:
    """A spec as a shrunk case gives it."""
    found = describe(build(FAMILIES[family](RandomChoices(seed), "any")[0]))
    assert found is not None
    return found


def check(case: Case) -> None:
    """The model is valid and declares the shapes that it has."""
    onnx.checker.check_model(case.proto())
    onnx.shape_inference.infer_shapes(case.proto(), strict_mode=True, data_prop=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_are_valid_small_and_in_the_same_words(family: str) -> None:
    for seed in range(12):
        near = Neighbourhood(drawn(family, seed), Random(seed))
        words = list(parameters(near.spec))
        found = [spec for spec, _ in near.one_change()][::6]
        found += [near.many_changes() for _ in range(6)]
        for spec in found:
            check(build(next(fresh_data(spec, Random(1)))))
            assert list(parameters(spec)) == words
            assert max(np.prod(each.shape) for each in spec.operands) <= MOST_ELEMENTS


def test_a_bias_whose_scale_is_tiny_is_saturated() -> None:
    c = Operand("c", (5,), "int32", (1e-30,), (0,), constant=True)
    spec = NodeSpec("Gemm", (A, B, c), PRODUCT.results)
    limits = np.iinfo(np.int32)
    for each in fresh_data(spec, Random(1)):
        array = each.operands[2].array
        assert array is not None
        assert array.dtype == np.int32
        assert set(array.tolist()) <= {limits.min, 0, limits.max}
        check(build(each))


@pytest.mark.parametrize("scale", [1e-38, 1e38])
def test_products_of_scales_beyond_float32_have_data(scale: float) -> None:
    operands = (replace(A, scales=(scale,)), replace(B, scales=(scale,)))
    spec = replace(PRODUCT, operands=operands)
    for each in fresh_data(spec, Random(1)):
        (found,) = each.results[0].scales
        assert 2.0**-126 <= found < float("inf")
        check(build(each))


@pytest.mark.parametrize("op", ["Mul", "Div", "Relu"])
def test_reals_that_are_not_finite_have_data(op: str) -> None:
    x = Operand("a", (3, 4), "float32", array=np.full((3, 4), np.inf, np.float32))
    operands = (x, replace(A, name="b", scales=(1e-38,)))[: 1 if op == "Relu" else 2]
    spec = NodeSpec(op, operands, (Operand("y", (3, 4), "uint8", (4.0,), (3,)),))
    for each in fresh_data(spec, Random(1)):
        assert 0 < each.results[0].scales[0] < float("inf")


@pytest.mark.parametrize("family", FAMILIES)
def test_fresh_data_change_no_word_of_the_law(family: str) -> None:
    for seed in range(12):
        spec = Neighbourhood(drawn(family, seed), Random(seed)).spec
        draws = list(fresh_data(spec, Random(seed)))
        assert [parameters(each) for each in draws] == [parameters(spec)] * 5
        assert {without_data(each) for each in draws} == {without_data(spec)}


def test_most_fresh_outputs_are_not_saturated() -> None:
    rng, shares = Random(7), []
    for family in ("matmul", "elementwise", "pool"):
        for seed in range(15):
            spec = next(fresh_data(drawn(family, seed), rng))
            y = spec.results[0]
            if not y.is_quantized or spec.y_float or spec.tails:
                continue
            case = build(spec)
            try:
                codes = next(iter(Oracle(case.proto()).allowed(case.inputs).values())).centre
            except Silent:
                continue
            ends = np.isin(codes, (np.iinfo(y.dtype).min, np.iinfo(y.dtype).max))
            shares.append(ends.mean())
    assert len(shares) > 15
    assert np.mean(shares) < 0.4


def test_a_scale_that_two_tensors_share_stays_shared() -> None:
    kept = list(fresh_data(POOL, Random(1)))
    assert {each.results[0].scales for each in kept} == {(1.0,)}
    other = replace(POOL, results=(replace(POOL.results[0], scales=(0.7,)),))
    assert len({each.results[0].scales for each in fresh_data(other, Random(1))}) > 2


@pytest.mark.parametrize(
    ("spec", "law"),
    [
        (PRODUCT, (Atom("a zero point", "!=", 0),)),
        (PRODUCT, (Atom("K", "==", 4), Atom("b per-channel", "==", False))),
        (POOL, (Atom("kernel", ">", 1), Atom("x like y", "==", True))),
    ],
)
def test_inside_and_outside_of_a_law(spec: NodeSpec, law: tuple[Atom, ...]) -> None:
    near = Neighbourhood(spec, Random(4))
    inside = [parameters(near.inside(law)) for _ in range(40)]
    assert all(atom.holds(row) for row in inside for atom in law)
    outside = [parameters(near.outside(law)) for _ in range(40)]
    broken = [sum(not atom.holds(row) for atom in law) for row in outside]
    assert broken.count(1) > 30


def test_what_varies_around_a_product() -> None:
    near = Neighbourhood(PRODUCT, Random(2))
    rows = [parameters(near.many_changes()) for _ in range(300)]
    varied = {name for name in rows[0] if len({row[name] for row in rows}) > 1}
    assert varied >= {
        *("M", "K", "N", "batch", "K == N", "M == N", "rank", "form", "opset", "tail", "bias"),
        *("a dtype", "b dtype", "y dtype", "a zero point", "b zero point", "y zero point"),
        *("b per-channel", "b axis", "b zero points differ", "input", "output"),
    }


def test_an_operator_has_the_aspects_of_its_kind() -> None:
    assert {"K", "K == N", "b granularity", "form", "bias"} <= aspects(PRODUCT).keys()
    assert {"i0", "C", "ceil_mode", "count_include_pad", "op"} <= aspects(POOL).keys()
    assert "form" in aspects(POOL)
    assert "bias" not in aspects(POOL)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int4", "uint4", "float8_e4m3fn"])
@pytest.mark.parametrize("op", ["", "MaxPool", "Add"])
def test_codes_of_other_types_have_neighbours_and_data(op: str, dtype: str) -> None:
    real = Operand("x", (1, 1, 3, 3), "float32")
    x, y = (Operand(name, (1, 1, 3, 3), dtype, (0.5,), (0,)) for name in "xy")
    operands = {
        "": (real,),
        "MaxPool": (x,),
        "Add": (replace(x, name="a"), replace(x, name="b")),
    }
    window = (("kernel_shape", (1, 1)),) if op == "MaxPool" else ()
    spec = NodeSpec(op, operands[op], (y,), window, opset=21, y_float=True)
    near = Neighbourhood(spec, Random(1))
    found = [spec, *(each for each, _ in near.one_change()), near.many_changes()]
    for each in found:
        for case in map(build, fresh_data(each, Random(2))):
            check(case)
