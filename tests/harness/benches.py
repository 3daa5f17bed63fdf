"""Benches over backends that start fast, and cases to run on them."""

from collections.abc import Iterator
from contextlib import contextmanager

from corpus.case import Case
from generators.operators.conv import ConvSpec, build
from harness.backends.catalogue import PLAIN
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.bench import Bench, Contestant, set_up

TIMEOUT = 5.0


@contextmanager
def bench_of(*names: str) -> Iterator[Bench]:
    with Pool(timeout=TIMEOUT) as pool:
        yield set_up(pool, [Contestant(parse(name), PLAIN) for name in names])


def grouped(out_per_group: int = 9, groups: int = 2) -> Case:
    """A grouped convolution with full random data: every fault of layout shows on it."""
    return build(
        ConvSpec(
            groups=groups,
            in_per_group=8,
            out_per_group=out_per_group,
            image=(3, 3),
            x_dtype="int8",
            w_dtype="int8",
            x_zero_point=5,
            y_zero_point=-3,
            x_scale=0.02,
            w_scales=(0.013,),
            y_scale=0.31,
            x_kind="random",
            x_seed=1,
            w_kind="random",
            w_seed=2,
        )
    )


def padded() -> Case:
    """A 3x3 convolution in Q/DQ form, padded, x zero point far from zero."""
    return build(
        ConvSpec(
            form="QDQ",
            in_per_group=2,
            out_per_group=3,
            image=(4, 4),
            kernel=(3, 3),
            pads=(1, 1, 1, 1),
            x_zero_point=77,
            y_zero_point=120,
            w_dtype="int8",
            x_scale=0.02,
            w_scales=(0.013,),
            y_scale=0.43,
            x_kind="random",
            x_seed=3,
            w_kind="random",
            w_seed=4,
        )
    )
