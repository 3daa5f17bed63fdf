"""What the test of a rule asks: does it fire, what stops it, does it keep values."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx

from engine import Session, load
from engine.fusion.match import Refusal
from engine.fusion.rewrite import RULES, rewrite
from harness.oracle import Oracle
from tests.engine.models import Array

Feeds = Mapping[str, Array]


def fired(
    model: onnx.ModelProto, *, off: Collection[str] = (), opt_in: Collection[str] = ()
) -> set[str]:
    """The ids of all rules that made something of the plan."""
    session = Session(model, fusion=off or "on", opt_in=opt_in)
    return {rule for step in session.plan().steps for rule in step.rule.split("+") if rule}


def refusals(model: onnx.ModelProto, rule_id: str, off: Collection[str] = ()) -> set[str]:
    """What the rule says at the nodes that are left when nothing fits any more: "G5: reason"."""
    view = rewrite(load(model), rules_off=off).view
    answers = [
        rule.match(view, node)
        for rule in RULES
        if rule.id == rule_id
        for node in view.nodes.values()
        if node.op in rule.anchors
    ]
    return {f"{each.guard}: {each.reason}" for each in answers if isinstance(each, Refusal)}


def outputs(model: onnx.ModelProto, feeds: Feeds, **how: Any) -> dict[str, Array]:
    """The outputs of a session made for this call."""
    return Session(model, **how).run(feeds)


def assert_same_bits(
    model: onnx.ModelProto, feeds: Feeds, opt_in: Collection[str] = ()
) -> None:
    """Fusion on and off give the same bits: for rules of class X0 (and all NaN alike)."""
    on, off = outputs(model, feeds, opt_in=opt_in), outputs(model, feeds, fusion="off")
    assert list(on) == list(off)
    for name, expected in off.items():
        assert on[name].dtype == expected.dtype, name
        assert on[name].shape == expected.shape, name
        np.testing.assert_array_equal(on[name], expected, err_msg=name)


def assert_inside(model: onnx.ModelProto, feeds: Feeds) -> None:
    """Fusion on and off both stay inside the oracle's set: for rules of class X1."""
    allowed = Oracle(model).allowed(feeds)
    for how in ("on", "off"):
        for name, actual in outputs(model, feeds, fusion=how).items():
            low, high = allowed[name].low, allowed[name].high
            assert actual.dtype == allowed[name].dtype, name
            assert actual.shape == low.shape, name
            values = actual.astype(np.float64)
            outside = ~((values >= low) & (values <= high))
            assert not outside.any(), f"fusion {how}, {name}: {int(outside.sum())} outside"
