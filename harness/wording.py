"""Messages and patterns by their words: what stays the same when sizes, names and addresses change."""

import re

from corpus.case import Case, node_id
from generators.illegal import breach_of

LONGEST = 160
SIGNED = frozenset({"int8", "uint8"})
NOT_VALID = "the model is not valid: "
GLOBAL = (r"\bQLinearGlobal(?=\w+Pool\b)", "QLinear")  # a pool, and the same kernel
SAID = (
    (r"\bNode \([\w/.:-]*\)", "Node (*)"),  # engines make nodes of their own
    (r"\b(operator|Optype) \(\w+\)", r"\1 (*)"),
    (
        r'\bIn Node, \("[^"]*"(, \w+)[^)]*\) : .* , (?=Error )',  # its name, inputs and outputs
        r'In Node, ("*"\1) ',
    ),
    (r"\brunning \w+ node\b", "running a node"),
    (r"\bName:'[^']*'", "Name:'*'"),
    (
        r"(?<=Failed to find kernel for )\w+\(\d+\).*",
        "an operator",
    ),  # that a pass left on codes
    GLOBAL,
    (r"\bType Error: .*", "Type Error"),
    (r"\b(?<=for )[iu](?:4|8|16|32|64)\b", "integers"),  # OpenVINO's names of types
    (
        r"(operands )?could not (be )?broadcast .*|cannot reshape array .*",  # numpy's, by the shapes
        "shapes do not fit",
    ),
)
"""What in a message hangs on the case, as a pattern, and what stands for it."""


def without_numbers(text: str) -> str:
    """Numbers, and lists of them, as one ``n``; 8-bit floats by any layout are one type."""
    text = re.sub(r"float8_?e\dm\d(fn)?(uz)?", "float8", text)
    without = re.sub(r"0x[0-9a-f]+|[-+]?\d[\d.]*", "n", text)
    return re.sub(r"\s+", " ", re.sub(r"n(, ?n|,)+", "n", without))[:LONGEST].strip()


def message_words(message: str, case: Case) -> str:
    """A backend's message without numbers, and without the model's own names where quoted.

    Of a model that was broken on purpose it is the way: what a crash leaves on stderr is chance.
    """
    if breach := breach_of(case):
        return f"{NOT_VALID}{breach}"
    graph = case.proto().graph
    names = {node_id(node) for node in graph.node}
    names |= {name for node in graph.node for name in (*node.input, *node.output) if name}
    for chance, said in SAID:
        message = re.sub(chance, said, message)
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    quoted = rf"(?<=[\"'(])({'|'.join(longest_first)})(?=[\"'),:_])"
    return without_numbers(re.sub(quoted, "*", message) if names else message)


def plain_op(op: str, kernel: str = "") -> str:
    """The operator whose QLinear form this is, else itself: both forms of a graph are one to an engine.

    So are Gemm and MatMul, which engines make of each other, unless the ``kernel`` has the same name.
    """
    plain = op.removeprefix("QLinear") or op
    return "MatMul" if plain == "Gemm" != kernel else plain


def said_place(message: str) -> str:
    """The source file or operator that a message says it comes from; empty where it says none."""
    operator = r"\bOp \((\w+)\)|\brunning (\w+) node\b|^\w*Error: ([A-Z]\w+): "
    file = r"([\w-]+\.(?:cpp|cc|c|hpp|h)):\d+"
    found = re.search(file, message) or re.search(operator, message)
    place = next(filter(None, found.groups())) if found else ""
    return re.sub(*GLOBAL, place)


def types_words(pattern: str) -> str:
    """``float32 instead of uint8``, where a pattern says so; empty elsewhere.

    Which of two types of codes is given for the other hangs on what they are made of.
    """
    found = re.fullmatch(r"expected (\w+) \(.*\), got (\w+) \(.*\)", pattern)
    if found is None or found[1] == found[2]:
        return ""
    if SIGNED.issuperset(found.groups()):
        return "int8 and uint8 exchanged"
    return f"{found[2]} instead of {found[1]}"
