"""Convolutions of single pixels whose strides come before their pads: what that gives, and where it shows."""

from typing import Any

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import Session
from engine.faults import find
from harness.emulate import Emulator
from tests.engine.models import Array

FORMS = {
    "integer": ("ConvInteger{given} (x, w, z)", "", "int32"),
    "codes": ("QLinearConv{given} (x, s, z, w, s, q, s, z)", "", "uint8"),
    "reals": ("Conv{given} (f, v)", "f = DequantizeLinear (x, s, z)", "float"),
    "given": ("Conv{given} (x, v)", "", "float"),
}
FAULT = {"reals": "F171.reals", "given": "F171.reals"}
IMAGE = np.arange(3, 39, dtype=np.uint8).reshape(1, 1, 6, 6)


def of_pixels(
    form: str = "integer", zero: int = 2, w: tuple[int, ...] = (1, 1, 1, 1), **changed: Any
) -> Case:
    operator, before, y = FORMS[form]
    given = {"strides": [2, 2], "pads": [1, 1, 0, 0]} | changed
    text = ", ".join(
        f"{k} = {v}" if k != "auto_pad" else f'{k} = "{v}"' for k, v in given.items()
    )
    x: Array = IMAGE if form != "given" else IMAGE.astype(np.float32)
    x = np.tile(x, (1, w[1] * given.get("group", 1), 1, 1))
    kind, shape = "float" if form == "given" else "uint8", ", ".join(map(str, x.shape))
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 21]>
g ({kind}[{shape}] x) => ({y}[n, c, h, k] y)
<float s = {{1}}, uint8 z = {{{zero}}}, uint8 q = {{0}}> {{
  {before} v = DequantizeLinear (w, s) y = {operator.format(given=f"<{text}>")}
}}""")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(w, np.uint8), "w"))
    return Case(model.SerializeToString(), {"x": x})


def run(case: Case, *faults: str) -> Array:
    return Session(case.model, faults=faults).run(case.inputs)["y"]


@pytest.mark.parametrize(
    ("form", "zero"), [("integer", 2), ("codes", 2), ("reals", 2), ("reals", 0)]
)
def test_every_second_pixel_stands_behind_the_pads(form: str, zero: int) -> None:
    """OpenVINO 2026.4.1 gives the pixels of rows and columns 0 and 2, as the strides alone would."""
    case, lift = of_pixels(form, zero), 0 if form == "codes" else zero
    plane = IMAGE[0, 0].astype(int) - lift
    border = zero - lift
    wrong, right = (np.full((3 + 1, 3 + 1), border) for _ in range(2))
    wrong[1:, 1:], right[1:, 1:] = plane[::2, ::2], plane[1::2, 1::2]
    assert run(case)[0, 0].tolist() == right.tolist()
    assert run(case, FAULT.get(form, "F171"))[0, 0].tolist() == wrong.tolist()


def test_only_axes_with_a_pad_and_a_stride() -> None:
    plane = IMAGE[0, 0].astype(int) - 2
    found = run(of_pixels(strides=[1, 3], pads=[0, 1, 0, 0]), "F171")[0, 0]
    assert found.tolist() == np.hstack([np.zeros((6, 1), int), plane[:, ::3]]).tolist()


SHOWS = {
    "codes": of_pixels("codes"),
    "sums": of_pixels(),
    "reals": of_pixels("reals"),
    "no zero point": of_pixels("codes", 0),
    "any pads without a stride": of_pixels(strides=[1, 2], pads=[2, 1, 1, 0]),
}
QUIET = {
    "sums without a zero point": of_pixels(zero=0),
    "reals that are given": of_pixels("given"),
    "groups": of_pixels(w=(2, 1, 1, 1), group=2),
    "groups of reals": of_pixels("reals", w=(2, 1, 1, 1), group=2),
    "no stride": of_pixels(strides=[1, 1]),
    "pads at the end": of_pixels(pads=[0, 0, 1, 1]),
    "another size": of_pixels(pads=[1, 1, 1, 1]),
    "a window of two": of_pixels(w=(1, 1, 1, 2)),
    "auto_pad": of_pixels(auto_pad="SAME_LOWER"),
}


@pytest.mark.parametrize("name", SHOWS)
def test_it_shows_where_other_pixels_are_read(name: str) -> None:
    case = SHOWS[name]
    fault = find(FAULT.get(name, "F171"))
    assert Emulator(case, "spec").acts_fused(fault)
    assert (run(case) != run(case, fault.key)).any()


SIZES = [
    ("codes", [1, 1, 1, 1], (5, 5)),
    ("integer", [1, 0, 2, 0], (6, 3)),
    ("reals", [0, 2, 0, 0], (3, 5)),
]


@pytest.mark.parametrize(("form", "pads", "size"), SIZES)
def test_around_fewer_pixels_are_as_many_pads(
    form: str, pads: list[int], size: tuple[int, int]
) -> None:
    """OpenVINO 2026.4.1."""
    told = Emulator(of_pixels(form, pads=pads), "spec").unanswered(
        find(f"{FAULT.get(form, 'F171')}.size")
    )
    assert told is not None
    assert told.shape == (1, 1, *size)


@pytest.mark.parametrize("name", ["pads at the end", "groups", "no stride", "auto_pad"])
@pytest.mark.parametrize("key", ["F171.size", "F171.reals.size"])
def test_elsewhere_the_size_is_right(name: str, key: str) -> None:
    assert Emulator(QUIET[name], "spec").unanswered(find(key)) is None
    assert (run(QUIET[name]) == run(QUIET[name], key)).all()


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("key", ["F171", "F171.reals"])
def test_it_has_no_place_elsewhere(name: str, key: str) -> None:
    case = QUIET[name]
    assert not find(key).places(Session(case.model, faults=[key]).plan())
    assert (run(case) == run(case, key)).all()
