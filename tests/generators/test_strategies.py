"""The names that ``from generators import ...`` gives to tests of other projects."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

import generators
from corpus.case import Array
from generators import (
    ConvSpec,
    NodeSpec,
    build_case,
    codes,
    conv_specs,
    node_specs,
    strategies,
)
from harness.oracle import Oracle


def test_the_public_names_are_those_of_the_strategies() -> None:
    assert generators.__all__ == strategies.__all__
    for name in generators.__all__:
        assert getattr(generators, name) is getattr(strategies, name)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'casez'"):
        generators.casez  # noqa: B018


def test_the_package_alone_loads_nothing() -> None:
    script = (
        "import sys, generators; print({'numpy', 'onnx', 'hypothesis'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@given(conv_specs(scales="tie-rich"))
def test_a_convolution_becomes_a_case_that_can_be_judged(spec: ConvSpec) -> None:
    case = build_case(spec)
    assert Oracle(case.proto()).allowed(case.inputs)


@given(node_specs("pool"))
def test_an_operator_becomes_a_case_of_that_operator(spec: NodeSpec) -> None:
    assert any(spec.op in node.op_type for node in build_case(spec).proto().graph.node)


@given(codes((2, 3), "int8", zero_point=-128))
def test_codes_have_the_shape_and_type_asked_for(array: Array) -> None:
    assert array.shape == (2, 3)
    assert array.dtype == np.int8
    array[0] = 0  # they are the test's own


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: conv_specs(scales="odd"), "scale policy 'odd', expected one of tie-free"),
        (lambda: node_specs("graphs"), "family of single operators 'graphs'"),
        (lambda: codes((1,), "int4"), "type of codes 'int4', expected one of uint8, int8"),
        (lambda: codes((1,), "uint8", zero_point=-1), "zero point -1 is no uint8"),
    ],
)
def test_bad_arguments_are_refused_when_the_strategy_is_made(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=words):
        make()
