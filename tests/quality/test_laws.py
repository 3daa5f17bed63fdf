"""The printed law of a fault is the condition under which it is known to show, over all operators."""

from dataclasses import replace

import pytest

from generators.operators.conv import ConvSpec
from generators.operators.conv import build as build_conv
from generators.operators.node import NodeSpec, Operand, build
from harness.law import Law
from harness.law.bug import law_of
from harness.suspect import suspects
from tests.harness.benches import bench_of

PATIENT_S = 30.0  # an exact law ends far earlier

A = Operand("a", (3, 6), "uint8", (0.5,), (7,), kind="random", seed=1)
B = Operand("b", (6, 5), "int8", (0.25,), (3,), constant=True, kind="random", seed=2)
Y = Operand("y", (3, 5), "uint8", (8.0,), (100,))
PRODUCT = NodeSpec("MatMul", (A, B), (Y,), form="QLinearMatMul")
BY_COLUMN = replace(
    PRODUCT,
    operands=(
        A,
        replace(B, scales=(0.25, 0.1, 0.4, 0.05, 0.3), zero_points=(0,) * 5, axis=1),
    ),
)
X = Operand("x", (1, 3, 5, 5), "int8", (0.5,), (5,), kind="random", seed=3)
WINDOW = (("kernel_shape", (3, 3)), ("pads", (1, 0, 0, 1)))
SMALL_WINDOW = (("kernel_shape", (2, 2)), ("pads", (1, 0, 0, 1)))
MAXIMUM = NodeSpec(
    "MaxPool", (X,), (Operand("y", (1, 3, 5, 5), "int8", (0.5,), (5,)),), SMALL_WINDOW
)
AVERAGE = NodeSpec(
    "AveragePool",
    (X,),
    (Operand("y", (1, 3, 4, 4), "int8", (0.25,), (5,)),),
    (*WINDOW, ("count_include_pad", 1)),
)
W = Operand("w", (4, 3, 3, 3), "int8", (0.25,), (1,), constant=True, kind="random", seed=4)
INTEGER = NodeSpec(
    "Conv",
    (replace(X, name="x", dtype="uint8", zero_points=(9,)), W),
    (Operand("y", (1, 4, 4, 4), "int32"),),
    WINDOW,
    form="ConvInteger",
)
TRANSPOSED = NodeSpec(
    "ConvTranspose",
    (X, replace(W, shape=(3, 2, 3, 3))),
    (Operand("y", (1, 2, 12, 12), "int8", (16.0,), (0,)),),
    (("kernel_shape", (3, 3)), ("strides", (2, 2)), ("output_padding", (1, 1))),
)
ADDED = NodeSpec(
    "Add",
    (replace(A, shape=(4, 6)), Operand("b", (4, 6), "uint8", (0.25,), (90,), seed=5)),
    (Operand("y", (4, 6), "uint8", (0.75,), (20,)),),
    form="QLinearAdd",
)
PACKED = NodeSpec(
    "",
    (Operand("x", (4, 7), "int4", (0.5, 0.25, 1.0, 0.75) * 2, (0,) * 8, 1, 4, True, seed=6),),
    (Operand("xr", (4, 7), "float32"),),
    opset=21,
)
GROUPED = ConvSpec(
    groups=2, out_per_group=9, w_kind="random", x_kind="random", y_scale=64.0, x_dtype="int8"
)

KNOWN: dict[str, tuple[NodeSpec | ConvSpec, str]] = {
    "F25.matmul": (PRODUCT, "a zero point != 0"),
    "F26.matmul": (PRODUCT, "b zero point != 0"),
    "F27.matmul": (PRODUCT, "a zero point != 0 and b zero point != 0"),
    "F50.matmul": (BY_COLUMN, "b per-channel"),
    "F87": (MAXIMUM, "x dtype == int8"),
    "F87b": (MAXIMUM, "pads > 0 and x zero point above lowest"),
    "F89.inside": (AVERAGE, "pads > 0 and count_include_pad == 1"),
    "F19": (INTEGER, "kernel > 1 and kernel square"),
    "F15.transpose": (TRANSPOSED, "output_padding > 0"),
    "F40": (ADDED, "b zero point != 0"),
    "F103c": (PACKED, "x dtype == int4"),
    "F02": (GROUPED, "groups > 1 and M/groups > 8 and M/groups % 8 != 0"),
}


def law_under(fault: str, spec: NodeSpec | ConvSpec) -> Law:
    """The law of what a faulty engine does wrong on a spec's case."""
    case = build(spec) if isinstance(spec, NodeSpec) else build_conv(spec)
    with bench_of(f"engine:fault={fault}") as bench:
        (backend,) = bench.specs
        found = suspects(bench, backend, case, bench.run(case, backend))
        assert found, "the fault does not show"
        return law_of(bench, found[0], found[0].case, seed=0, budget_s=PATIENT_S)


@pytest.mark.parametrize("fault", KNOWN)
def test_the_law_is_the_condition_of_the_fault(fault: str) -> None:
    spec, text = KNOWN[fault]
    law = law_under(fault, spec)
    assert law.text == text
    assert law.exact
    assert min(law.failing, law.passing) > 20
    assert not law.counterexamples
