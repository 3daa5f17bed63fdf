"""What is mined of a user's model, and whether cases like it are valid, small, varied and its own."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from corpus.case import Array, Case
from engine import Session
from generators.like import Mined, cells_of, like_case, mine
from generators.like.mining import MOST_SHAPES
from generators.like.quantities import slots
from generators.like.sizes import part_of
from generators.models import BLOCKS, block_case
from harness.oracle import Oracle, Silent, judge
from tests.generators.like.nets import Net, messy, residual


@pytest.fixture(scope="module")
def mined() -> Mined:
    return mine(messy())


@pytest.fixture(scope="module")
def strided() -> Mined:
    return mine(residual())


def drawn(mined: Mined, count: int) -> list[Case]:
    return [like_case(mined.parts, "any", seed) for seed in range(count)]


def is_right(case: Case) -> bool:
    """By the checker, and by the oracle's word on our engine, where it has one."""
    onnx.checker.check_model(case.proto(), full_check=True)
    values = Session(case.model).run(case.inputs)
    try:
        allowed = Oracle(case.proto()).allowed(case.inputs)
    except Silent:
        return True
    return not any(judge(each, values[name]).is_wrong for name, each in allowed.items())


def operators(case: Case) -> list[str]:
    ops = [node.op_type for node in case.proto().graph.node]
    return [each for each in ops if not each.endswith("zeLinear")]


def node_of(case: Case, op: str) -> onnx.NodeProto:
    return next(each for each in case.proto().graph.node if each.op_type == op)


def constants(case: Case) -> dict[str, Array]:
    return {e.name: numpy_helper.to_array(e) for e in case.proto().graph.initializer}


def test_patterns_are_counted_and_what_is_left_out_is_said(mined: Mined) -> None:
    names = dict(mined.patterns)
    assert names["Conv 3x3/2, s8 s8/channel"] == 1
    assert names["Conv 3x3 grouped, s8 s8/channel"] == 1
    assert names["Reshape + Transpose + Reshape, s8"] == 1
    assert names["MatMul, s8 int4/block"] == 1
    assert names["Conv 3x3/2 + Conv 3x3 grouped, s8 s8/channel"] == 1
    assert mined.left == (
        "Weird at 'odd': the shape of 'weird' is not known",
        "If at 'last': If 'n_chosen' has a graph of its own",
    )


def test_shapes_that_are_too_many_are_said_in_a_line() -> None:
    net = Net()
    ends = []
    for number in range(MOST_SHAPES + 3):
        codes = net.quantize("image", f"x{number}", 0.02)
        ends.append(net.conv(codes, f"c{number}", (8 * number + 8, 3, 3, 3)))
    found = mine(net.model(ends))
    (counts,) = {n for name, n in found.patterns if name.startswith("Conv")}
    assert counts == MOST_SHAPES + 3
    (line,) = [each for each in found.left if each.startswith("shapes beyond")]
    assert line.startswith(
        "shapes beyond the first 16 of a pattern: 3, most of them (3) of Conv"
    )


def test_parts_are_valid_models(mined: Mined) -> None:
    for part in mined.parts:
        onnx.checker.check_model(onnx.ModelProto.FromString(part), full_check=True)


def test_every_pattern_has_its_turn(mined: Mined) -> None:
    count = len(mined.patterns)
    cells = [each.cells[0] for each in drawn(mined, count)]
    assert cells == [f"like {name}" for name, _ in mined.patterns]
    assert set(cells) < set(cells_of(mined.parts))


def test_cases_are_valid_and_our_engine_is_right(mined: Mined) -> None:
    assert all(is_right(each) for each in drawn(mined, 60))


@pytest.mark.parametrize(
    ("block", "scales"),
    list(zip(BLOCKS, ("tie-free", "any", "tie-rich", "saturating"), strict=True)),
)
def test_blocks_of_networks(block: str, scales: str) -> None:
    found = mine(block_case(block, "any", 1).proto())
    assert not found.left
    for seed in range(len(found.patterns)):
        case = like_case(found.parts, scales, seed)
        assert is_right(case), case.origin


def test_the_same_seed_gives_the_same_case(mined: Mined) -> None:
    again = mine(messy())
    assert again == mined
    for seed in (0, 7, 1 << 33):
        first, second = (like_case(each.parts, "any", seed) for each in (mined, again))
        assert first.digest == second.digest
        assert first.origin == second.origin
        assert first.origin.startswith("like ")
        assert first.origin.endswith(f" any {seed}")


def test_cases_are_small(mined: Mined) -> None:
    assert sum(map(len, mined.parts)) < 200_000
    assert max(x.size for case in drawn(mined, 100) for x in case.inputs.values()) <= 40_000


def test_sizes_vary_and_leave_the_rests_of_the_model() -> None:
    found = mine(residual(channels=44))
    seen: Counter[int] = Counter()
    for case in drawn(found, 200):
        if operators(case) == ["Conv"] and len(case.cells) == 1:
            w = next(a for a in constants(case).values() if a.ndim == 4)
            seen[w.shape[0]] += 1
    assert set(seen) == {12, 44, 4 + 8} | {4}


def test_a_grouped_convolution_stays_one(mined: Mined) -> None:
    for case in drawn(mined, 80):
        if case.cells[0] == "like Conv 3x3 grouped, s8 s8/channel":
            node, known = node_of(case, "Conv"), constants(case)
            groups = next(each.i for each in node.attribute if each.name == "group")
            w = next(a for a in known.values() if a.ndim == 4)
            assert 2 <= groups <= 5
            assert next(iter(case.inputs.values())).shape[1] == groups * w.shape[1]


def test_what_is_added_has_the_size_of_a_strided_image(strided: Mined) -> None:
    assert not strided.left
    pairs = [each for each in drawn(strided, 200) if operators(each) == ["Conv", "Add"]]
    assert len(pairs) > 10
    images = {max(each.inputs.values(), key=lambda x: x.size).shape[2:] for each in pairs}
    assert len(images) > 2


def test_equal_scales_stay_equal_and_a_bias_keeps_its_steps(strided: Mined) -> None:
    for case in drawn(strided, 200):
        known = constants(case)
        part = part_of(case.proto())
        biases = slots(part).biases
        if "like, but scales equal" in case.cells:
            continue
        for bias, x, w in biases:
            assert np.array_equal(known[bias], known[x] * known[w]), case.origin


def test_scales_are_near_the_models_own(strided: Mined) -> None:
    found = strided
    scales = {
        float(a)
        for case in drawn(found, 150)
        for name, a in constants(case).items()
        if name == "x_s" and len(case.cells) == 1
    }
    assert 0.02 in {round(each, 6) for each in scales}
    assert 0.015625 in scales  # the nearest power of two
    assert all(0.014 < each < 0.026 for each in scales)


def test_one_case_in_four_has_something_changed(mined: Mined) -> None:
    said = Counter(cell for case in drawn(mined, 300) for cell in case.cells[1:])
    assert set(said) == set(cells_of(mined.parts)[len(mined.patterns) :])
    assert 40 < said.total() < 110


def test_a_float_model_has_nothing_to_mine() -> None:
    node = onnx.helper.make_node("Weird", ["x"], ["y"], domain="com.acme")
    value = onnx.helper.make_tensor_value_info("x", 1, [1, 4])
    graph = onnx.helper.make_graph([node], "g", [value], [onnx.ValueInfoProto(name="y")])
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.acme", 1)]
    found = mine(onnx.helper.make_model(graph, opset_imports=opsets))
    assert not found.parts
    assert found.left == ("Weird at 'y': nothing in it is quantized",)


def test_two_readers_stay_two(strided: Mined) -> None:
    """The codes of the stem are read by two convolutions, and so they are an output."""
    found = strided
    both = "like Conv 3x3/4 + Conv 3x3/2, s8 s8/channel"
    cases = [each for each in drawn(found, 100) if each.cells[0] == both]
    assert cases
    assert all(len(each.proto().graph.output) == 2 for each in cases)
