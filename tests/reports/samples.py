"""A small campaign to render: one clobbered convolution in opencv, one saturation in torch-fbgemm."""

from dataclasses import replace

from corpus.finding import (
    Engine,
    Evidence,
    Finding,
    GraphNode,
    LawCounts,
    Match,
    Sample,
    Size,
    Steps,
    TensorRow,
)
from harness.events import (
    BatchJudged,
    CampaignFinished,
    CampaignStarted,
    Counts,
    Event,
    FindingSaved,
    FindingSeen,
)

FUSIONS = {
    "engine": {"QLinearConv <- DequantizeLinear Conv QuantizeLinear": 70},
    "opencv": {"Eltwise <- Add Relu": 2, "Conv2Int8 <- QLinearConv Relu": 61},
}

M = 24
PIXELS = 4
WRONG_CHANNELS = range(9, 16)

HOSTILE = (
    "<script>window.hacked=1</script>",
    "\"><img src=x onerror='window.hacked=1'>",
    "</script><script>window.hacked=1</script>",
    "</title></style><svg onload=window.hacked=1>",
    "`|*_[a](javascript:window.hacked=1)\n# heading",
    "\x1b[31mred\x1b[0m\x00\x08",
    "\u202eevil\u2066",
    "имя 名前 🙂",
    "{{ 7*7 }}{% raw %}[bold]markup[/bold]",
    "n" * 10_000,
    "'; import os; os.abort(); '",
    "]]>&amp;<!--",
)


def finding() -> Finding:
    return Finding(
        id="3a91",
        signature="opencv divergent QLinearConv Conv2Int8 F01",
        backend=Engine("opencv", "5.0.0.93"),
        kind="divergent",
        op="QLinearConv",
        nodes=("c1",),
        fused_as="Conv2Int8",
        steps=Steps(148, 28, 96),
        pattern="channels 9..15 of 24",
        switches=(),
        diagnosis=(Match("F01", "groups overwrite each other in one 8-lane block", 96, 96),),
        law="groups > 1 and M/groups > 8 and M/groups % 8 != 0",
        law_counts=LawCounts(412, 412, 388, 388),
        size=Size(1, 611, 8),
        seen=231,
        located_by="prefixes",
        command="quantdiff replay out/findings/3a91 -b opencv",
    )


def value(channel: int, pixel: int) -> float:
    return float((channel * 37 + pixel * 11) % 251)


def expected() -> tuple[float, ...]:
    return tuple(value(c, p) for c in range(M) for p in range(PIXELS))


def clobbered() -> tuple[float, ...]:
    """Channels 9..15 hold what channels 13..19 should."""
    return tuple(
        value(c + 4, p) if c in WRONG_CHANNELS else value(c, p)
        for c in range(M)
        for p in range(PIXELS)
    )


def evidence() -> Evidence:
    right, wrong = expected(), clobbered()
    distance = [abs(a - b) for a, b in zip(right, wrong, strict=True)]
    heat = tuple(tuple(distance[c * PIXELS : (c + 1) * PIXELS]) for c in range(M))
    low = tuple(each - (index == 5) for index, each in enumerate(right))
    return Evidence(
        graph=(GraphNode("c1", "QLinearConv", ("x", "w"), ("y",), "Conv2Int8 c1", True),),
        tensors=(
            TensorRow("x", "uint8", (1, 2, 2, 2), "", "exact", Steps(0, 0, 8)),
            TensorRow(
                "y", "uint8", (1, M, 2, 2), "c1", "divergent", Steps(max(distance), 28, 96)
            ),
        ),
        tensor="y",
        shape=(1, M, 2, 2),
        heat=heat,
        expected=right,
        low=low,
        high=right,
        samples=(
            Sample("engine", "0.1", "values", "exact", right),
            Sample("ort", "1.31.1", "values", "tie", tuple(low)),
            Sample("opencv", "5.0.0.93", "values", "divergent", wrong),
            Sample("torch-qnnpack", "2.13.0", "refused", "no such <kernel>", ()),
        ),
        parameters={"groups": 2, "M/groups": 12, "x dtype": "uint8", "per-channel": True},
        counterexamples=({"groups": 3, "M/groups": 9, "x dtype": "int8"},),
        versions={"opencv": "5.0.0.93", "python": "3.11.2", "cpu": "x86-64 AVX2"},
    )


def saturation() -> FindingSaved:
    """A Q/DQ convolution that onnxruntime fuses; switching the fusion off restores the answer."""
    ops = (
        ("dx", "DequantizeLinear", ("x",), ("xf",), "QLinearConv"),
        ("dw", "DequantizeLinear", ("w",), ("wf",), "QLinearConv"),
        ("c1", "Conv", ("xf", "wf"), ("yf",), "QLinearConv"),
        ("r1", "Relu", ("yf",), ("zf",), "QLinearConv"),
        ("q1", "QuantizeLinear", ("zf",), ("z",), "QLinearConv"),
        ("d1", "DequantizeLinear", ("z",), ("out",), ""),
    )
    graph = tuple(
        GraphNode(name, op, inputs, outputs, unit, culprit=unit == "QLinearConv")
        for name, op, inputs, outputs, unit in ops
    )
    base = evidence()
    y = replace(base.tensors[1], name="z", produced_by="q1", verdict="divergent")
    return FindingSaved(
        replace(
            finding(),
            id="77c0",
            backend=Engine("ort", "1.31.1"),
            op="Conv",
            nodes=("dx", "dw", "c1", "r1", "q1"),
            fused_as="QLinearConv",
            steps=Steps(1, 2, 384),
            pattern="one step off",
            switches=(("QDQSelectorActionTransformer",), ("A", "B")),
            diagnosis=(Match("F79a", "pairs of products saturate to int16", 380, 384),),
            law="",
            size=Size(2, 12_345, 8),
        ),
        replace(base, graph=graph, tensors=(base.tensors[0], y), tensor="z"),
        "findings/77c0",
    )


def campaign() -> tuple[Event, ...]:
    """A finished campaign of sixty seconds."""
    engines = (Engine("engine", "0.1"), Engine("opencv", "5.0.0.93"), Engine("ort", "1.31.1"))
    counts = {
        "engine": Counts(exact=6000, tie=209),
        "opencv": Counts(exact=5000, tie=10, divergent=231, refused=968),
        "ort": Counts(exact=6100, tie=108, divergent=1),
    }
    return (
        CampaignStarted(
            "0.1",
            7,
            "conv",
            "any",
            engines,
            "out",
            planned_seconds=60.0,
            cells=("a", "b", "c"),
        ),
        BatchJudged(6209, 18627, 30.0, counts, ("a",)),
        FindingSaved(finding(), evidence(), "findings/3a91"),
        BatchJudged(6209, 18627, 59.9, counts, ("a", "b"), fusions=FUSIONS),
        saturation(),
        FindingSeen("3a91", 462),
        CampaignFinished(60.0),
    )


def hostile(name: str) -> FindingSaved:
    """The finding with one hostile name wherever a model or a backend puts a name."""
    base = evidence()
    spoiled = replace(
        finding(),
        op=name,
        nodes=(name,),
        fused_as=name,
        pattern=name,
        switches=((name,),),
        diagnosis=(Match(name, name, 1, 1),),
        near_misses=(Match(name, name, 39, 40),),
        instruction_sets={name: name},
        law=name,
        message=name,
        command=name,
        located_by=name,
        backend=Engine(name, name),
    )
    rows = tuple(replace(r, name=name, dtype=name, produced_by=name) for r in base.tensors)
    node = GraphNode(name, name, (name,), (name,), f"{name}!", culprit=True)
    samples = tuple(replace(s, backend=name, version=name, outcome=name) for s in base.samples)
    return FindingSaved(
        spoiled,
        replace(
            base,
            graph=(node,),
            tensors=rows,
            tensor=name,
            samples=samples,
            parameters={name: name},
            counterexamples=({name: name},),
            versions={name: name},
        ),
        "findings/3a91",
    )
