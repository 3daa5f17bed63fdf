"""QLinear operators spelled out: the same answers, and none of them left."""

import onnx

from corpus.case import Case
from engine import EngineError, Session
from generators.graphs import draw_case
from generators.partners.forms import spelled_out
from harness.oracle import Oracle, Silent, is_outside

MEANT = {
    *("QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearSigmoid"),
    *("QLinearLeakyRelu", "QLinearSoftmax", "QLinearAveragePool", "QLinearGlobalAveragePool"),
    "QLinearConcat",
}


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def test_what_is_spelled_out_gives_what_is_allowed() -> None:
    spelled: set[str] = set()
    drawn = [("elementwise", seed) for seed in range(500)]
    drawn += [
        (each, seed) for each in ("conv", "matmul", "pool", "graphs") for seed in range(80)
    ]
    drawn += [("movement", seed) for seed in range(180)]
    for family, seed in drawn:
        case = draw_case(family, "any", seed)
        other = spelled_out(case)
        gone = operators(case.proto()) - operators(other.proto())
        if gone and _is_allowed(case, other):
            spelled |= gone
            onnx.checker.check_model(other.proto())
    assert spelled >= MEANT


def _is_allowed(case: Case, other: Case) -> bool:
    """Whether somebody can tell; a wrong answer ends the test."""
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
        found = Session(other.model).run(other.inputs)
    except (Silent, EngineError):
        return False
    for name, array in found.items():
        assert not is_outside(allowed[name], array).any(), case.origin
    return True


def test_a_case_without_any_stays_what_it_is() -> None:
    case = next(
        each
        for each in (draw_case("conv", "any", seed) for seed in range(50))
        if "QLinearConv" not in operators(each.proto())
    )
    assert spelled_out(case) is case


def test_the_older_softmax_is_spelled_out_in_a_newer_model_too() -> None:
    seen = 0
    for seed in range(400):
        case = draw_case("elementwise", "any", seed)
        opsets = {each.domain: each.version for each in case.proto().opset_import}
        nodes = [n for n in case.proto().graph.node if n.op_type == "QLinearSoftmax"]
        if not nodes or opsets[""] < 13:
            continue
        given = {a.name: a.i for a in nodes[0].attribute}
        ops = operators(spelled_out(case).proto())
        assert "QLinearSoftmax" not in ops
        assert ("Flatten" in ops) == (given["opset"] < 13)
        seen += given["opset"] < 13 and _is_allowed(case, spelled_out(case))
    assert seen
