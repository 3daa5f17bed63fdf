"""Miniature backends that end or harm their process, or take too much of it."""

import os
import signal
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tests.fakes.values import Arrays, perfect


def crashes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Dies as native code does, where the input holds a 13."""
    if (next(iter(inputs.values())) == 13).any():
        print("about to abort", file=sys.stderr, flush=True)
        os.abort()
    return perfect(model, inputs)


def crashes_on_what_is_not_valid(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Dies as native code does on a model that the standard does not allow."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        os.abort()
    return perfect(model, inputs)


_harm: list[bool] = []


def is_harmed_by_what_is_not_valid(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Dies on any model after one that the standard does not allow: its memory is damaged."""
    if _harm:
        os.abort()
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        _harm.append(True)
        return {}
    return perfect(model, inputs)


def crashes_unless(model: onnx.ModelProto, inputs: Arrays, safe: str = "") -> Arrays:
    """Dies as native code does, unless its option says otherwise."""
    return perfect(model, inputs) if safe else os.abort()


def chatters(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Says something on stderr of each case that it answers; dies without a word of a 13."""
    if (next(iter(inputs.values())) == 13).any():
        os.abort()
    os.write(2, b"something else\n")
    return perfect(model, inputs)


def crashes_over_what_it_fuses(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Dies as native code does on a Mul behind an Erf, which it takes for a GELU."""
    ops = [node.op_type for node in model.graph.node]
    if "Erf" in ops and "Mul" in ops[ops.index("Erf") :]:
        os.abort()
    return perfect(model, inputs)


def exits(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Ends the process, where the input holds a 13."""
    if (next(iter(inputs.values())) == 13).any():
        sys.exit(3)
    return perfect(model, inputs)


def exits_as_if_all_were_well(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Ends the process with the status of success, where the input holds a 13."""
    if (next(iter(inputs.values())) == 13).any():
        os._exit(0)
    return perfect(model, inputs)


def hangs(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Never answers, where the input holds a 13."""
    if (next(iter(inputs.values())) == 13).any():
        time.sleep(3600)
    return perfect(model, inputs)


def dies_and_leaves_a_child(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Exits, while a child of it goes on holding the pipe."""
    if os.fork() == 0:
        time.sleep(60)
    os._exit(5)


def hoards(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Takes two gigabytes, where the input holds a 13."""
    if (next(iter(inputs.values())) == 13).any():
        np.ones(2 << 30, np.uint8)
        time.sleep(3600)
    return perfect(model, inputs)


_leaked: list[npt.NDArray[Any]] = []


def leaks(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right answer, and 100 MiB that are never given back."""
    _leaked.append(np.ones(100 << 20, np.uint8))
    return perfect(model, inputs)


def dies_once(model: onnx.ModelProto, inputs: Arrays, mark: str) -> Arrays:
    """Dies as native code does, but never again once the file ``mark`` is there."""
    if not os.path.exists(mark):  # noqa: PTH110
        open(mark, "w").close()  # noqa: PTH123
        print("only once", file=sys.stderr, flush=True)
        os.abort()
    return perfect(model, inputs)


def dies_once_of_what_it_refuses(model: onnx.ModelProto, inputs: Arrays, mark: str) -> Arrays:
    """Dies once of a model that it does not take, as of what was written beside a tensor before."""
    from harness.backends.protocol import Limit

    dies_once(model, inputs, mark)
    raise Limit("nothing is taken")


def is_killed_once(model: onnx.ModelProto, inputs: Arrays, mark: str) -> Arrays:
    """Somebody kills it, but never again once the file ``mark`` is there."""
    if not os.path.exists(mark):  # noqa: PTH110
        open(mark, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), signal.SIGKILL)
    return perfect(model, inputs)


def is_killed(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Killed where the input holds a 13, as by a system that runs out of memory."""
    if (next(iter(inputs.values())) == 13).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return perfect(model, inputs)
