"""R33: ``Concat -> Q`` becomes a Q on every input and a Concat of codes.

Exact by itself. An input that was dequantized with other parameters then needs a Requantize (R25),
one that has them already nothing (R40).
"""

from collections.abc import Mapping

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import is_per_tensor, only_quantize
from engine.fusion.r40_equal_pair import read_coding
from engine.ir import Node


def match(view: View, concat: Node) -> Answer:
    """A Concat that a QuantizeLinear follows."""
    quantize = only_quantize(view, concat.outputs[0])
    if quantize is None or isinstance(quantize, Refusal):
        return quantize
    coding = read_coding(view, quantize)
    if isinstance(coding, Refusal):
        return coding
    if not is_per_tensor(coding):
        return Refusal("G2", f"{quantize.id} has {coding.scale.size} scales, a Concat needs 1")
    if not view.by_stage("rewrite.moved", always, view, concat, quantize):
        return Refusal("pattern", f"{quantize.id} stays where it is")
    names: Mapping[str, str] = view.by_stage(
        "rewrite.names", each_its_own, view, concat, quantize
    )
    before = [
        Node(
            quantize.id,
            "QuantizeLinear",
            (name, *quantize.inputs[1:]),
            (code,),
            quantize.attributes,
        )
        for code, name in {code: name for name, code in names.items()}.items()
    ]
    inputs = tuple(names[name] for name in concat.inputs)
    joined = Node(concat.id, "Concat", inputs, quantize.outputs, concat.attributes)
    return Replacement((concat, quantize), (*before, joined))


def always(view: View, concat: Node, quantize: Node) -> bool:
    """Whether the QuantizeLinear is moved."""
    return True


def each_its_own(view: View, concat: Node, quantize: Node) -> Mapping[str, str]:
    """The name of the codes of each input."""
    return {name: view.new_name(f"{name}_{quantize.key}") for name in concat.inputs}


RULE = Rule("R33", "QuantizeLinear moved in front of Concat", "X0", ("Concat",), match)
