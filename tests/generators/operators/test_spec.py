from dataclasses import replace

import numpy as np
import pytest

from generators.operators.conv import ConvSpec, parameters, problem, resized


def test_specs_with_equal_arrays_are_equal() -> None:
    spec = ConvSpec(x=np.ones((1, 1, 1, 1), np.uint8))
    twin = ConvSpec(x=np.ones((1, 1, 1, 1), np.uint8))
    assert spec == twin
    assert hash(spec) == hash(twin)
    assert spec != ConvSpec(x=np.ones((1, 1, 1, 1), np.int8))
    assert spec != ConvSpec()
    assert ConvSpec(groups=2) != ConvSpec()


def test_resizing_refits_channels_and_drops_data_that_no_longer_fit() -> None:
    spec = ConvSpec(
        out_per_group=2,
        w_scales=(1.0, 2.0),
        w_zero_points=(5,),
        bias="int32",
        x=np.zeros((1, 1, 1, 1), np.uint8),
        w=np.zeros((2, 1, 1, 1), np.uint8),
        b=np.zeros(2, np.int32),
    )
    wider = resized(spec, out_per_group=3)
    assert wider.w_scales == (1.0, 2.0, 1.0)
    assert wider.w_zero_points == (5,)
    assert (wider.w, wider.b) == (None, None)
    assert wider.x is spec.x
    assert problem(wider) == ""
    assert resized(spec, groups=2).x is None
    assert resized(spec, opset=20) == replace(spec, opset=20)


def test_parameters_are_in_the_words_of_laws() -> None:
    spec = ConvSpec(
        batch=2,
        groups=3,
        in_per_group=4,
        out_per_group=5,
        image=(6, 7),
        kernel=(3, 2),
        strides=(1, 2),
        pads=(1, 0, 0, 0),
        x_zero_point=9,
        w_dtype="int8",
        w_zero_points=(-8,),
    )
    found = parameters(spec)
    expected = {
        "groups": 3,
        "M/groups": 5,
        "C/groups": 4,
        "M": 15,
        "C": 12,
        "N": 2,
        "rank": 2,
        "kernel": 3,
        "kernel taps": 6,
        "stride": 2,
        "dilation": 1,
        "pads": 1,
        "pads asymmetric": True,
        "auto_pad": "NOTSET",
        "pixels": 15,
        "image": 6,
        "form": "QLinearConv",
        "x dtype": "uint8",
        "w dtype": "int8",
        "y dtype": "uint8",
        "per-channel": False,
        "bias": "none",
        "activation": "none",
        "x zero point": 9,
        "w zero point": 8,
        "y zero point": 0,
    }
    assert {name: found[name] for name in expected} == expected
    assert list(found)[:3] == ["groups", "M/groups", "C/groups"]


@pytest.mark.parametrize("missing", ["x", "w", "y"])
def test_a_missing_pair_makes_its_type_real(missing: str) -> None:
    found = parameters(ConvSpec(form="QDQ", missing=missing))
    assert {name: found[f"{name} dtype"] for name in "xwy"} == {
        name: "float32" if name == missing else "uint8" for name in "xwy"
    }
