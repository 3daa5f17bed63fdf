"""Pools, reductions, ArgMax and TopK."""

from dataclasses import replace

from generators.choices import Choices
from generators.operators.node.drawing import Draw, plain, reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand

POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
PADDINGS = ("none", "explicit", "SAME_UPPER", "SAME_LOWER", "VALID")
BY_ORDER = ("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "TopK")
ON_CODES = ("QLinearAveragePool", "QLinearGlobalAveragePool")
LARGEST_OPSET = 11
AXES_INPUT = {"ReduceSum": 13, "ReduceMean": 18, "ReduceMax": 18, "ReduceMin": 18}
ALL_CELLS = (
    *(f"pool {op} {rank}-D" for op in POOLS for rank in (1, 2, 3)),
    *(f"pool {op} pads {each}" for op in POOLS[:2] for each in PADDINGS),
    *(f"pool {op} ceil" for op in POOLS[:2]),
    *(f"pool {op}" for op in (*REDUCTIONS, *ON_CODES, "ArgMax", "TopK")),
    "pool AveragePool count_include_pad",
    "pool MaxPool with indices",
    "pool MaxPool with indices by columns",
    "pool negative scale",
    "reduction keepdims 0",
    "reduction of all axes",
    "reduction axes left out",
)


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One pool or reduction and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    make = choices.spread((_pool, _pool, _pool, _reduction, _reduction, _selection, _on_codes))
    return make(draw)


def _pool(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    op, rank = choices.spread((*POOLS, *POOLS[:2])), choices.pick((2, 2, 1, 3))
    x, cells = _ordered(draw, op, _image(draw, rank))
    cells.add(f"pool {op} {rank}-D")
    attributes: list[tuple[str, Attribute]] = []
    shape = (*x.shape[:2], *(1,) * rank)
    if not op.startswith("Global"):
        attributes, sizes, words = _window(draw, op, x.shape[2:])
        shape = (*x.shape[:2], *sizes)
        cells |= {f"pool {op} {each}" for each in words}
    y = _result(draw, x, shape)
    results = [y]
    if op == "MaxPool" and choices.flag(8):
        results.append(Operand("i", shape, "int64"))
        by_columns = choices.flag(3)
        attributes += [("storage_order", 1)] if by_columns else []
        cells.add(f"pool MaxPool with indices{' by columns' if by_columns else ''}")
    return draw.spec(op, (x,), results, attributes), frozenset(cells)


def _ordered(draw: Draw, op: str, x: Operand) -> tuple[Operand, set[str]]:
    """An operand of what chooses by order, now and then with a negative scale, and its cells."""
    if op in BY_ORDER and draw.choices.flag(12):
        return replace(x, scales=(-x.scales[0],)), {"pool negative scale"}
    return x, set()


def _image(draw: Draw, rank: int) -> Operand:
    pixels = draw.shape(rank, 9 if rank < 3 else 5)
    image = (1,) * rank if draw.choices.flag(12) else pixels
    return draw.codes("x", (draw.choices.pick((1, 1, 2)), draw.size(17), *image))


def _result(draw: Draw, x: Operand, shape: tuple[int, ...]) -> Operand:
    """An output with the operand's own scale and zero point, or with others."""
    if draw.choices.flag():
        return Operand("y", shape, x.dtype, x.scales, x.zero_points)
    return draw.result(shape, reach(x), abs(x.scales[0]))


def _window(
    draw: Draw, op: str, image: tuple[int, ...]
) -> tuple[list[tuple[str, Attribute]], tuple[int, ...], list[str]]:
    """Attributes, the output's size, and words for cells; every window meets the image."""
    choices = draw.choices
    ceil = int(choices.flag(3))
    kernel = tuple(min(choices.pick((2, 3, 1)), each) for each in image)
    strides = tuple(choices.pick((2, 3) if ceil else (1, 2, 3)) for _ in image)
    padding = choices.spread(PADDINGS[:2] if ceil else PADDINGS)
    if padding.startswith("SAME"):
        strides = tuple(map(min, strides, kernel))  # onnxruntime refuses to skip pixels here
    pads = [0] * (2 * len(image))
    attributes: list[tuple[str, Attribute]] = [("kernel_shape", kernel)]
    if max(strides) > 1 or choices.flag():
        attributes.append(("strides", strides))
    if padding == "explicit":
        pads = [choices.integer(0, k - 1) for k in (*kernel, *kernel)]
        attributes.append(("pads", tuple(pads)))
    elif padding != "none":
        attributes.append(("auto_pad", padding))
    if ceil and _begins_beyond(image, kernel, strides, pads):
        ceil = 0
    if ceil:
        attributes.append(("ceil_mode", 1))
    words = [f"pads {padding}", *(["ceil"] if ceil else [])]
    if op == "AveragePool" and choices.flag():
        attributes.append(("count_include_pad", 1))
        words.append("count_include_pad")
    sizes = _sizes(image, kernel, strides, pads, padding, ceil)
    return attributes, sizes, words


def _sizes(
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    pads: list[int],
    padding: str,
    ceil: int,
) -> tuple[int, ...]:
    if padding.startswith("SAME"):
        return tuple(-(-size // s) for size, s in zip(image, strides, strict=True))
    sizes = []
    for i, size in enumerate(image):
        begin, end = pads[i], pads[i + len(image)]
        room = size + begin + end - kernel[i]
        sizes.append((-(-room // strides[i]) if ceil else room // strides[i]) + 1)
    return tuple(sizes)


def _begins_beyond(
    image: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], pads: list[int]
) -> bool:
    """Whether a last window would begin in the end pads: opsets differ on whether it exists."""
    sizes = _sizes(image, kernel, strides, pads, "explicit", 1)
    return any(
        (count - 1) * stride >= size + begin
        for count, stride, size, begin in zip(sizes, strides, image, pads, strict=False)
    )


def _reduction(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    op = choices.spread(REDUCTIONS)
    x, cells = _ordered(draw, op, draw.codes("x", draw.shape(choices.pick((4, 3, 2)), 7)))
    axes = choices.pick(
        ((-1,), (1,), (len(x.shape) - 1,), tuple(range(len(x.shape))), (0, -1))
    )
    keep = int(not choices.flag(3))
    gone = {each % len(x.shape) for each in axes}
    shape = tuple(
        1 if i in gone else n for i, n in enumerate(x.shape) if keep or i not in gone
    )
    y = _result(draw, x, shape)
    cells |= {f"pool {op}"}
    cells |= {"reduction keepdims 0"} if not keep else set()
    cells |= {"reduction of all axes"} if len(gone) == len(x.shape) else set()
    attributes: list[tuple[str, Attribute]] = [("keepdims", keep)]
    operands = [x]
    if len(gone) == len(x.shape) and choices.flag():
        cells.add("reduction axes left out")
    elif draw.opset >= AXES_INPUT[op]:
        operands.append(plain("axes", axes))
    else:
        attributes.append(("axes", axes))
    return draw.spec(op, operands, (y,), attributes), frozenset(cells)


def _selection(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    x, cells = _ordered(draw, "TopK", draw.codes("x", draw.shape(choices.pick((3, 2)), 9)))
    axis = choices.pick((-1, 0, 1))
    length = x.shape[axis]
    if choices.flag():
        keep = int(choices.flag())
        at = axis % len(x.shape)
        shape = tuple(1 if i == at else n for i, n in enumerate(x.shape) if keep or i != at)
        y = Operand("y", shape, "int64")
        found = draw.spec("ArgMax", (x,), (y,), (("axis", axis), ("keepdims", keep)))
        return replace(found, y_float=False), frozenset({"pool ArgMax", *cells})
    count = choices.integer(1, length)
    at = axis % len(x.shape)
    shape = tuple(count if i == at else n for i, n in enumerate(x.shape))
    y = _result(draw, x, shape)
    attributes: list[tuple[str, Attribute]] = [("axis", axis)]
    if choices.flag(3):
        attributes.append(("largest", 0))
    elif draw.opset >= LARGEST_OPSET and choices.flag():
        attributes.append(("largest", 1))
    operands, results = (x, plain("k", (count,))), (y, Operand("i", shape, "int64"))
    found = draw.spec("TopK", operands, results, attributes)
    return found, frozenset({"pool TopK", *cells})


def _on_codes(draw: Draw) -> tuple[NodeSpec, frozenset[str]]:
    form = draw.choices.spread(ON_CODES)
    x = _image(draw, 2)
    op = form.removeprefix("QLinear")
    attributes: list[tuple[str, Attribute]] = []
    shape = (*x.shape[:2], 1, 1)
    if op == "AveragePool":
        attributes, sizes, _ = _window(draw, op, x.shape[2:])
        shape = (*x.shape[:2], *sizes)
    y = _result(draw, x, shape)
    return draw.spec(op, (x,), (y,), attributes, form=form), frozenset({f"pool {form}"})
