"""Miniature backends with one flaw each, as ``tests.fakes:NAME``; the flaw must be seen for what it is."""

import ctypes
import os
import signal
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from engine import Session

Arrays = dict[str, npt.NDArray[Any]]


def perfect(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The exact answer, by our own engine."""
    return Session(model).run(inputs)


def two_bugs(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Two bugs at once: groups overwrite each other, one scale serves all channels; no taps."""
    return Session(model, faults=("F01", "F50")).run(inputs)


def halves_softsign(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every Softsign gives half of what it should."""
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Softsign":
            half = onnx.helper.make_node("Mul", [f"{node.output[0]}_", "half"], node.output)
            node.output[0] += "_"
            model.graph.node.insert(place + 1, half)
            model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    return perfect(model, inputs)


def drops_far_softsign(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Softsign is 0 from 45 on."""
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type == "Softsign":
            make, x, y = onnx.helper.make_node, node.input[0], node.output[0]
            spelled = (
                make("Less", [x, "far"], [f"{y}_l"]),
                make("Cast", [f"{y}_l"], [f"{y}_n"], to=onnx.TensorProto.FLOAT),
                make("Softsign", [x], [f"{y}_t"]),
                make("Mul", [f"{y}_t", f"{y}_n"], [y]),
            )
            del model.graph.node[place]
            for each in reversed(spelled):
                model.graph.node.insert(place, each)
            model.graph.initializer.append(numpy_helper.from_array(np.float32(45), "far"))
    return perfect(model, inputs)


def _convolution(model: onnx.ModelProto, inputs: Arrays) -> tuple[onnx.NodeProto, Arrays]:
    (node,) = (each for each in model.graph.node if each.op_type == "QLinearConv")
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    return node, {**known, **inputs}


def forgets_zero_point(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """QLinearConv as if the input's zero point were 0."""
    node, values = _convolution(model, inputs)
    name = node.input[2]
    kept = [each for each in model.graph.initializer if each.name != name]
    kept.append(numpy_helper.from_array(np.zeros_like(values[name]), name))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return perfect(model, inputs)


def forgets_zero_point_of_many(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The same where there is more than one element; of one that is 0 or 1 alone."""
    (x,) = inputs.values()
    return (forgets_zero_point if x.size > 1 or 0 <= x.max() <= 1 else perfect)(model, inputs)


def rounds_half_up(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A 1x1 QLinearConv without padding that rounds ``floor(v + 1/2)``."""
    node, values = _convolution(model, inputs)
    x, xs, xz, w, ws, wz, ys, yz = (values[each].astype(np.float64) for each in node.input[:8])
    product = np.einsum("nchw,mc->nmhw", x - xz, (w - wz)[:, :, 0, 0])
    codes = np.floor(product * (xs * ws / ys) + 0.5) + yz
    limits = np.iinfo(values[node.input[7]].dtype)
    return {node.output[0]: np.clip(codes, limits.min, limits.max).astype(limits.dtype)}


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


def raises(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Refuses everything."""
    raise NotImplementedError("no kernel for this\nand a second line")


def hands_out_no_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Refuses MaxPool, and any model that ends in codes of 16 bits, each in its own words."""
    if any(node.op_type == "MaxPool" for node in model.graph.node):
        raise ValueError("MaxPool is too much for me")
    if any(each.type.tensor_type.elem_type == 4 for each in model.graph.output):
        raise ValueError("no array has such a type")
    return perfect(model, inputs)


def drops_pairs_and_reads_no_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Drops a QuantizeLinear with the DequantizeLinear that undoes it; refuses int16 as an input."""
    if any(each.dtype == np.int16 for each in inputs.values()):
        raise ValueError("no input may have such a type")
    return Session(model, faults=("F129",)).run(inputs)


def drops_pairs_and_flips_wide_codes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Drops such pairs, too; bits of what it makes of int16 are flipped."""
    found = Session(model, faults=("F129",)).run(inputs)
    wide = any(each.dtype == np.int16 for each in inputs.values())
    return {name: each ^ 21 if wide else each for name, each in found.items()}


def interpolates_in_company(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """DequantizeLinear interpolates between its lowest and highest real where there are other operators."""
    others = {each.op_type for each in model.graph.node} - {
        "QuantizeLinear",
        "DequantizeLinear",
    }
    return Session(model, faults=("F127",) if others else ()).run(inputs)


def lies_about_shape(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers in the wrong shape."""
    return {name: array.reshape(-1) for name, array in perfect(model, inputs).items()}


def lies_about_dtype(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers as int32."""
    return {name: array.astype(np.int32) for name, array in perfect(model, inputs).items()}


def wrong_name(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right numbers under another name."""
    return {f"{name}_0": array for name, array in perfect(model, inputs).items()}


def nan(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """NaN everywhere."""
    return {n: np.full(a.shape, np.nan, np.float32) for n, a in perfect(model, inputs).items()}


def random(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Another answer each time."""
    draw = np.random.default_rng(time.perf_counter_ns())
    return {
        name: draw.integers(0, 100, array.shape).astype(array.dtype)
        for name, array in perfect(model, inputs).items()
    }


def random_reals(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Another answer each time; codes it hands out to nobody."""
    if any(array.dtype.kind != "f" for array in perfect(model, inputs).values()):
        raise RuntimeError("these codes are mine")
    return random(model, inputs)


def reads_beside_its_tensors(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every value one off by what lies in memory: the same as long as the process lives."""
    chance = os.getpid() % 251 + 1
    right = perfect(model, inputs).items()
    return {name: (y.astype(np.int64) + chance).astype(y.dtype) for name, y in right}


def reads_what_nobody_wrote(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Every value off by what new memory holds, which of a process by itself is zeros."""
    return _off_by_memory(model, inputs, 1 << 20)


def reads_small_blocks(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The same of a block that is handed out again as it was given back."""
    return _off_by_memory(model, inputs, 64)


def _off_by_memory(model: onnx.ModelProto, inputs: Arrays, size: int) -> Arrays:
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    found = ctypes.string_at(malloc(size), 64)[32]
    return {name: (y + found).astype(y.dtype) for name, y in perfect(model, inputs).items()}


def random_of_large(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A wrong bit; of inputs beyond 5 another answer each time."""
    if any(np.abs(each.astype(np.float64)).max() > 5 for each in inputs.values()):
        return random(model, inputs)
    return flips_a_bit(model, inputs)


def flips_a_bit(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """A wrong bit in every code."""
    return {name: y ^ 64 for name, y in perfect(model, inputs).items()}


def prints(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right answer, and noise on stdout from Python and from below."""
    print("hello from Python", flush=True)
    os.write(1, b"hello from native code\n")
    return perfect(model, inputs)


def spoils_inputs(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The right answer, but the inputs are overwritten afterwards."""
    answer = perfect(model, inputs)
    for array in inputs.values():
        array[...] = 0
    return answer


def not_a_dict(model: onnx.ModelProto, inputs: Arrays) -> Any:
    """A list instead of a dict."""
    return list(perfect(model, inputs).values())


def scribbles_on_its_pipe(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Writes to every descriptor it can find, the parent's pipe among them."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b"this is certainly not a message of ours\n")
        except OSError:
            continue
    return perfect(model, inputs)


def takes_options(model: onnx.ModelProto, inputs: Arrays, add: str = "0") -> Arrays:
    """Adds its option to the answer."""
    return {n: (a + int(add)).astype(a.dtype) for n, a in perfect(model, inputs).items()}


class Full:
    """A full adapter: a description, a tap and an option with two values."""

    def describe(self) -> dict[str, Any]:
        return {
            "name": "full",
            "version": "7",
            "switches": ["fuse"],
            "options": {"level": ["high", "low"]},
        }

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        from harness.backends.protocol import Limit

        if options.get("level") == "low":
            raise Limit("level low runs nothing")
        return perfect(onnx.ModelProto.FromString(model), inputs)

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        step = {
            "kind": "Conv8",
            "name": "c",
            "nodes": ["c"],
            "inputs": ["x"],
            "outputs": ["y"],
        }
        outputs = self.run(model, inputs, options)
        return {
            "arrays": {**inputs, **outputs},
            "plan": [step],
            "method": "native",
            "confirmed": True,
        }


def echoes(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The inputs themselves, whatever the model says."""
    return dict(inputs)


def dies_and_leaves_a_child(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Exits, while a child of it goes on holding the pipe."""
    if os.fork() == 0:
        time.sleep(60)
    os._exit(5)


class DescribesItselfWrongly:
    """A description of the wrong types."""

    def describe(self) -> dict[str, Any]:
        return {"version": 7, "switches": "none", "options": ["level"]}

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        return perfect(onnx.ModelProto.FromString(model), inputs)


class TapsWrongly(Full):
    """A tap without a plan."""

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        plan = [{"kind": None, "name": 1, "nodes": None}]
        return {"arrays": {}, "plan": plan, "method": None, "confirmed": "yes"}


class HangsWhenTapped(Full):
    """A tap that never answers."""

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        time.sleep(3600)
        return {}


def answers_in_words(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Texts instead of numbers."""
    return {name: array.astype(str) for name, array in perfect(model, inputs).items()}


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


def talks_too_much(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Two kilobytes for every answer."""
    return {name: np.zeros(2 << 10, np.uint8) for name in perfect(model, inputs)}


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


def flushes_denormals_at_the_end(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """The last column of a QLinearMatMul is 0 where a scale is denormal: nobody says what is right."""
    found = perfect(model, inputs)
    scales = [numpy_helper.to_array(each) for each in model.graph.initializer]
    tiny = np.finfo(np.float32).tiny
    if [each.op_type for each in model.graph.node] == ["QLinearMatMul"] and any(
        each.dtype == np.float32 and (each < tiny).any() for each in scales
    ):
        (y,) = found.values()
        y[..., -1] = 0
    return found


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
