"""F57.rows with the values of OpenVINO 2026.4.1: one 4-bit code for every 8 columns, one scale for each row."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import EngineError, Session, load
from engine.faults import find
from generators.graphs import draw_case
from harness.emulate import Emulator
from harness.foretold import unsettled
from tests.engine.models import Array, graph_model

KEY = "F57.rows"
FORMS: dict[str, dict[str, Any]] = {
    "MatMul": {"axis": -2},
    "Gemm": {"axis": 0},
    "turned": {"axis": 1},
    "blocks": {"axis": -1, "block_size": 16},
}


def product(
    codes: Array, scale: Any, zero: Any = None, form: str = "MatMul", dtype: Any = "uint4"
) -> onnx.ModelProto:
    """Nodes d and m: reals times weights, whose rows are codes."""
    turned, kind = form == "turned", np.dtype(getattr(ml_dtypes, dtype, dtype))
    constants: dict[str, Any] = {"w": (codes.T if turned else codes).astype(kind)}
    for name, given in (("s", scale), ("z", zero)):
        if given is not None:
            row = np.asarray(given, np.float32)
            row = row.reshape(-1, 1) if form == "blocks" else row
            constants[name] = row if name == "s" else row.astype(kind)
    node, extra = onnx.helper.make_node, {"transB": 1} if turned else {}
    operator = "Gemm" if form in ("Gemm", "turned") else "MatMul"
    nodes = [
        node("DequantizeLinear", list(constants), ["v"], name="d", **FORMS[form]),
        node(operator, ["x", "v"], ["y"], name="m", **extra),
    ]
    given_x = {"x": (np.float32, [len(codes), len(codes)])}
    return graph_model(nodes, given_x, {"y": np.float32}, constants, 21)


def rows(model: onnx.ModelProto, *faults: str) -> Any:
    """The weights that are multiplied, one column of every 8."""
    count = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    found = Session(model, faults=faults).run({"x": np.eye(count, dtype=np.float32)})["y"]
    return found[:, ::8].tolist()


def acts(model: onnx.ModelProto) -> bool:
    return "d" in find(KEY).places(Session(model, faults=[KEY]).plan())


def rising(count: int, width: int) -> Array:
    """Code k + n / 8 in row k and column n."""
    return np.add.outer(np.arange(count), np.arange(width) // 8)


@pytest.mark.parametrize("form", FORMS)
def test_odd_rows_are_made_of_those_around_and_the_first_parameters_serve_all(
    form: str,
) -> None:
    codes = np.repeat(np.add.outer(np.arange(5), [0, 8]), 8, axis=1)
    model = product(codes, [0.5, 1, 1, 1, 2], [3, 0, 0, 0, 1], form)
    assert rows(model) == [[-1.5, 2.5], [1, 9], [2, 10], [3, 11], [6, 22]]
    found = rows(model, KEY)
    assert found == [[-1.5, 2.5], [2.5, -0.5], [-0.5, 3.5], [3.5, 0.5], [0.5, 4.5]]


@pytest.mark.parametrize(
    ("width", "second"),
    [
        (32, [2, 3, 2, 3]),
        (64, [4, 5, 6, 7, 2, 3, 4, 5]),
        (48, [2, 3, 2, 3, 0, 0]),
    ],
)
def test_columns_are_read_in_blocks_of_64_32_or_16(width: int, second: list[float]) -> None:
    """Of 48 the last 16 are half a block: what lies behind was 0."""
    assert rows(product(rising(5, width), np.ones(5)), KEY)[1] == second


UNTOUCHED = {
    "three rows": product(rising(3, 16), [1, 2, 3]),
    "one scale": product(rising(5, 16), 1.0),
    "one column": product(rising(5, 1), [1, 2, 3, 4, 5]),
    "8 bits": product(rising(5, 16), [1, 2, 3, 4, 5], dtype="uint8"),
    "2 bits": product(rising(5, 16) % 4, [1, 2, 3, 4, 5], dtype="uint2"),
    "all alike": product(np.full((5, 16), 7), np.ones(5)),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_read_in_its_place(name: str) -> None:
    model = UNTOUCHED[name]
    assert not acts(model)
    assert rows(model, KEY) == rows(model)


def test_scales_of_columns_are_no_scales_of_rows() -> None:
    model = product(rising(16, 16), np.arange(1.0, 17))
    assert acts(model)
    model.graph.node[0].attribute[0].i = -1
    assert not acts(model)
    assert rows(model, KEY) == rows(model)


def test_it_never_shows_where_its_trigger_is_off() -> None:
    quiet = 0
    for seed in range(150):
        case = draw_case("blockwise", "any", seed)
        try:
            faulty = Session(load(case.model), faults=[KEY])
            if not find(KEY).places(faulty.plan()):
                right, wrong = (
                    each.run(case.inputs) for each in (Session(case.model), faulty)
                )
                assert all(wrong[name].tobytes() == right[name].tobytes() for name in right)
                quiet += 1
        except EngineError:
            continue
    assert quiet > 10


GROUPS = "F57.groups"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("count", "ends"), [(4, False), (5, True)])
def test_five_rows_end_the_process(form: str, count: int, ends: bool) -> None:
    """OpenVINO 2026.4.1 with weights of any codes: signal SIGFPE."""
    model = product(np.zeros((16, 16), int), np.ones(16), form=form)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "M"
    case = Case(model.SerializeToString(), {"x": np.zeros((count, 16), np.float32)})
    told = Emulator(case, "spec").unanswered(find(GROUPS))
    assert (told is not None and str(told)) == (ends and "signal SIGFPE")
    assert [each.fault for each in unsettled(case, "spec")] == ["F57"]


@pytest.mark.parametrize("name", ["three rows", "one scale", "one column", "8 bits", "2 bits"])
def test_other_weights_have_groups_of_whole_bytes(name: str) -> None:
    model = UNTOUCHED[name]
    count = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    case = Case(model.SerializeToString(), {"x": np.eye(count, dtype=np.float32)})
    assert Emulator(case, "spec").unanswered(find(GROUPS)) is None
    assert not unsettled(case, "spec")
