"""The layout of the graph: nothing covers anything else."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from corpus.finding import Evidence, GraphNode
from reports.drawing import Box, draw
from tests.reports import samples


@st.composite
def graphs(draw: st.DrawFn) -> Evidence:
    """Straight and skipping graphs whose nodes are spread over a few units."""
    count = draw(st.integers(0, 12))
    nodes = []
    for index in range(count):
        before = [f"t{each}" for each in range(index)] + ["x"]
        inputs = tuple(draw(st.lists(st.sampled_from(before), max_size=3)))
        unit = draw(st.sampled_from(["", "A", "B", "C"]))
        nodes.append(
            GraphNode(f"n{index}", "Op", inputs, (f"t{index}",), unit, draw(st.booleans()))
        )
    return replace(samples.evidence(), graph=tuple(nodes))


def overlap(a: Box, b: Box) -> bool:
    apart_x = a.x + a.width <= b.x or b.x + b.width <= a.x
    apart_y = a.y + a.height <= b.y or b.y + b.height <= a.y
    return not (apart_x or apart_y)


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.x <= inner.x
        and inner.x + inner.width <= outer.x + outer.width
        and outer.y <= inner.y
        and inner.y + inner.height <= outer.y + outer.height
    )


@given(graphs())
def test_boxes_and_groups_are_apart_and_on_the_page(evidence: Evidence) -> None:
    drawing = draw(evidence, {"x"})
    assert sum(not box.is_end for box in drawing.nodes) == len(evidence.graph)
    for boxes in (drawing.nodes, drawing.groups):
        assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    page = Box(0, 0, drawing.width, drawing.height, "", "", is_culprit=False)
    assert all(inside(box, page) for box in (*drawing.groups, *drawing.nodes))
    assert all(
        sum(inside(node, group) for group in drawing.groups) == 1 for node in drawing.nodes
    )


def test_a_fused_operation_is_one_group_with_its_culprits() -> None:
    drawing = draw(samples.saturation().evidence, {"x"})
    (group,) = (each for each in drawing.groups if each.title)
    assert group.title == "runs as QLinearConv"
    assert group.is_culprit
    members = [node.subtitle for node in drawing.nodes if inside(node, group)]
    assert members == ["dx", "dw", "c1", "r1", "q1"]
    assert [node.title for node in drawing.nodes if node.is_end] == ["x", "out"]
    assert [line.title for line in drawing.lines if line.is_wrong] == ["z"]


def test_a_node_that_runs_as_what_it_is_has_no_group() -> None:
    node = GraphNode("c1", "QLinearConv", ("x",), ("y",), "QLinearConv c1_quant", culprit=True)
    drawing = draw(replace(samples.evidence(), graph=(node,)))
    assert [group.title for group in drawing.groups] == ["", ""]
    assert drawing.nodes[0].is_culprit


def test_a_line_past_other_nodes_runs_beside_them() -> None:
    nodes = tuple(
        GraphNode(f"n{i}", "Add", inputs, (f"t{i}",), "", culprit=False)
        for i, inputs in enumerate([("x",), ("t0",), ("t1", "t0")])
    )
    drawing = draw(replace(samples.evidence(), graph=nodes))
    right_edge = max(box.x + box.width for box in drawing.nodes)
    (detour,) = (line for line in drawing.lines if "H" in line.path)
    lane = float(detour.path.split("H")[1].split("V")[0])
    assert right_edge < lane < drawing.width


def test_a_huge_graph_is_cut_around_the_culprit() -> None:
    nodes = tuple(
        GraphNode(f"n{i}", "Op", (f"t{i - 1}",), (f"t{i}",), "", culprit=i == 700)
        for i in range(1000)
    )
    drawing = draw(replace(samples.evidence(), graph=nodes))
    assert drawing.left_out == 940
    assert sum(node.is_culprit for node in drawing.nodes) == 1
