"""Where the graph's boxes and lines go: fused operations below one another, their nodes in rows.

Each fused operation is one group box, so no box of one can cover a node of another. A line that
would pass over a row of boxes runs beside the drawing instead, in a lane of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from corpus.finding import Evidence, GraphNode
from reports.text import short
from reports.words import RIGHT

_WIDTH, _HEIGHT = 176, 44
_GAP_X, _GAP_Y = 16, 30
_PAD, _TITLE = 14, 24
_BETWEEN = 32
_LANE = 14
_MOST_UNITS, _MOST_ENDS = 60, 6
_END = "\0end"


@dataclass(frozen=True, slots=True)
class Box:
    """A node, a graph input or output (``is_end``), or a group with its title; in pixels."""

    x: float
    y: float
    width: float
    height: float
    title: str
    subtitle: str
    is_culprit: bool
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A tensor from its producer to one consumer, as the path of an SVG."""

    path: str
    title: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything to draw; ``left_out`` units are too far from the culprit to be shown."""

    width: float
    height: float
    groups: tuple[Box, ...]
    nodes: tuple[Box, ...]
    lines: tuple[Line, ...]
    left_out: int


Unit = tuple[str, tuple[GraphNode, ...]]


def draw(evidence: Evidence, given: Collection[str] = ()) -> Drawing:
    """The drawing of the evidence's graph; ``given`` are the names of its inputs."""
    units, left_out = _near_culprit(_units(evidence.graph))
    units = _with_ends(units, given)
    rows = [_rows(nodes) for _, nodes in units]
    widths = (_unit_width(name, each) for (name, _), each in zip(units, rows, strict=True))
    width = max(widths, default=_WIDTH)
    groups: list[Box] = []
    places: dict[int, Box] = {}
    top = 2.0
    for (name, nodes), unit_rows in zip(units, rows, strict=True):
        group = _group(name, nodes, unit_rows, top, width)
        groups.append(group)
        places |= _place(unit_rows, group)
        top += group.height + _BETWEEN
    lines, lanes = _lines(units, places, evidence, width)
    drawn = tuple(places[id(node)] for _, nodes in units for node in nodes)
    full_width = width + 4 + _LANE * (lanes + 1) * bool(lanes)
    return Drawing(full_width, top - _BETWEEN + 2, tuple(groups), drawn, lines, left_out)


def _units(graph: Sequence[GraphNode]) -> list[Unit]:
    """The fused operations, each where its last node stands; a node without one is alone."""
    members: dict[str, list[tuple[int, GraphNode]]] = {}
    for index, node in enumerate(graph):
        members.setdefault(node.unit or f"\0{index}", []).append((index, node))
    ordered = sorted(members.values(), key=lambda each: each[-1][0])
    return [_unit(tuple(node for _, node in each)) for each in ordered]


def _unit(nodes: tuple[GraphNode, ...]) -> Unit:
    """Nodes with the name of what they run as; none for a node that runs as what it is."""
    name = nodes[0].unit
    is_itself = len(nodes) == 1 and name.split(" ")[0] == nodes[0].op
    return ("" if is_itself else name), nodes


def _near_culprit(units: list[Unit]) -> tuple[list[Unit], int]:
    """At most ``_MOST_UNITS`` units around the first culprit, and how many are left out."""
    at = next((i for i, (_, nodes) in enumerate(units) if any(n.culprit for n in nodes)), 0)
    first = max(0, min(at - _MOST_UNITS // 2, len(units) - _MOST_UNITS))
    kept = units[first : first + _MOST_UNITS]
    return kept, len(units) - len(kept)


def _with_ends(units: list[Unit], given: Collection[str]) -> list[Unit]:
    """The units between a row of the graph inputs and a row of the tensors that nobody consumes."""
    nodes = [node for _, unit in units for node in unit]
    read = dict.fromkeys(name for node in nodes for name in node.inputs)
    made = dict.fromkeys(name for node in nodes for name in node.outputs if name)
    inputs = tuple(_end(name, "input", (), (name,)) for name in read if name in given)
    outputs = tuple(_end(name, "output", (name,), ()) for name in made if name not in read)
    ends = (("", inputs[:_MOST_ENDS]), *units, ("", outputs[:_MOST_ENDS]))
    return [each for each in ends if each[1]]


def _end(name: str, word: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> GraphNode:
    return GraphNode(word, name, inputs, outputs, _END, culprit=False)


def _rows(nodes: Sequence[GraphNode]) -> list[list[GraphNode]]:
    """Nodes by their longest way to the unit's end, farthest first."""
    depth: dict[int, int] = {}
    for node in reversed(nodes):
        after = [
            depth[id(n)] for n in nodes if id(n) in depth and set(n.inputs) & set(node.outputs)
        ]
        depth[id(node)] = 1 + max(after, default=-1)
    ordered = sorted(nodes, key=lambda each: -depth[id(each)])
    return [list(row) for _, row in groupby(ordered, key=lambda each: depth[id(each)])]


def _row_width(row: Sequence[GraphNode]) -> float:
    return len(row) * (_WIDTH + _GAP_X) - _GAP_X


def _unit_width(name: str, rows: Sequence[Sequence[GraphNode]]) -> float:
    return max(map(_row_width, rows)) + 2 * _PAD * bool(name)


def _group(
    name: str,
    nodes: Sequence[GraphNode],
    rows: Sequence[Sequence[GraphNode]],
    top: float,
    full_width: float,
) -> Box:
    width = _unit_width(name, rows)
    height = len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y + (_TITLE + _PAD) * bool(name)
    title = f"runs as {short(name, 24)}" if name else ""
    is_culprit = any(each.culprit for each in nodes)
    return Box((full_width - width) / 2 + 2, top, width, height, title, "", is_culprit)


def _place(rows: Sequence[Sequence[GraphNode]], group: Box) -> dict[int, Box]:
    """Each node's box, by the node's identity: names need not be unique."""
    places = {}
    for index, row in enumerate(rows):
        x = group.x + (group.width - _row_width(row)) / 2
        y = group.y + _TITLE * bool(group.title) + index * (_HEIGHT + _GAP_Y)
        for node in row:
            title, subtitle, is_end = short(node.op, 20), short(node.id, 22), node.unit == _END
            places[id(node)] = Box(
                x, y, _WIDTH, _HEIGHT, title, subtitle, node.culprit, is_end
            )
            x += _WIDTH + _GAP_X
    return places


def _lines(
    units: Sequence[Unit], places: Mapping[int, Box], evidence: Evidence, width: float
) -> tuple[tuple[Line, ...], int]:
    """The lines, and how many lanes beside the drawing they take."""
    wrong = {row.name for row in evidence.tensors if row.verdict not in RIGHT}
    nodes = [node for _, unit in units for node in unit]
    levels = {
        y: level for level, y in enumerate(sorted({places[id(node)].y for node in nodes}))
    }
    producers = {name: node for node in nodes for name in node.outputs}
    lines: list[Line] = []
    lanes = 0
    for node in nodes:
        for name in dict.fromkeys(node.inputs):
            if name not in producers or producers[name] is node:
                continue
            start, end = places[id(producers[name])], places[id(node)]
            is_skip = levels[end.y] - levels[start.y] != 1
            lanes += is_skip
            path = (
                _detour(start, end, width + _LANE * lanes) if is_skip else _curve(start, end)
            )
            lines.append(Line(path, short(name, 64), name in wrong))
    return tuple(lines), lanes


def _curve(start: Box, end: Box) -> str:
    x1, y1 = start.x + start.width / 2, start.y + start.height
    x2, y2 = end.x + end.width / 2, end.y
    bend = (y2 - y1) / 2
    return f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"


def _detour(start: Box, end: Box, lane: float) -> str:
    """Out below the start, along the lane, in above the end: only through gaps between rows."""
    x1, y1 = start.x + start.width / 2, start.y + start.height
    x2, y2 = end.x + end.width / 2, end.y
    return f"M{x1:g} {y1:g}V{y1 + 8:g}H{lane:g}V{y2 - 10:g}H{x2:g}V{y2:g}"
