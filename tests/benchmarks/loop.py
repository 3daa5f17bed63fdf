"""The campaign's loop against a bare loop over the same engines."""

import time
from collections.abc import Callable, Iterator, Sequence

import onnxruntime

from corpus.case import Case
from engine import EngineError, Session
from generators.graphs import draw_case
from harness.backends import torch_quantized
from harness.backends.ort_claims import unclaimed
from harness.backends.pool import Pool
from harness.backends.protocol import Limit
from harness.backends.spec import BackendSpec, parse
from harness.run import judge_all

NAMES = (
    "ort",
    "ort:level=off",
    "torch-fbgemm",
    "torch-qnnpack",
    "engine",
    "engine:fusion=off",
)
CASES = 768
BATCH = 64
ROUNDS = 3


def report() -> Iterator[str]:
    specs = [parse(name) for name in NAMES]
    with Pool() as pool:
        pool.run([draw_case("conv", "any", 0)], specs)  # start the workers
        rounds = [_round(pool, specs, number) for number in range(ROUNDS)]
    best = min(rounds, key=lambda parts: sum(parts.values()))
    ours = sum(best.values()) / CASES
    cases = [draw_case("conv", "any", seed) for seed in range(CASES)]
    bare = {name: _timed(run, cases) / CASES for name, run in bare_engines().items()}
    yield f"loop: draw, run on {len(NAMES)} configurations in worker processes, judge"
    yield f"  ours  {1 / ours:6.0f} cases/s   {ours * 1e3:.2f} ms a case"
    for part, seconds in best.items():
        yield f"    {part:<28}{seconds / CASES * 1e3:6.3f} ms   {seconds / ours / CASES:4.0%}"
    total = sum(bare.values())
    yield f"  bare  {1 / total:6.0f} cases/s   {total * 1e3:.2f} ms a case: the same sessions, in process"
    for name, seconds in bare.items():
        yield f"    {name:<28}{seconds * 1e3:6.3f} ms"
    yield f"  ours / bare {total / ours:.0%}   (goal: >= 40 %, and >= 300 cases/s)"
    isolation = best["run"] / CASES / total - 1
    yield f"  isolation costs {isolation:+.0%} of the bare engines   (goal: <= 25 %)"


def _round(pool: Pool, specs: Sequence[BackendSpec], number: int) -> dict[str, float]:
    parts = {"draw": 0.0, "run": 0.0, "judge": 0.0}
    for start in range(0, CASES, BATCH):
        began = time.perf_counter()
        cases = [draw_case("conv", "any", seed) for seed in range(start, start + BATCH)]
        drawn = time.perf_counter()
        answers = pool.run(cases, specs)
        ran = time.perf_counter()
        for case, outcomes in zip(cases, answers, strict=True):
            judge_all(case, {spec: outcomes[spec.text] for spec in specs})
        judged = time.perf_counter()
        parts["draw"] += drawn - began
        parts["run"] += ran - drawn
        parts["judge"] += judged - ran
    return parts


def bare_engines() -> dict[str, Callable[[Case], object]]:
    """Every configuration of the loop as plain calls in this process."""
    return {
        "ort": _bare_ort(onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL),
        "ort:level=off": _bare_ort(onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL),
        "torch-fbgemm": _bare_torch("torch-fbgemm"),
        "torch-qnnpack": _bare_torch("torch-qnnpack"),
        "engine": lambda case: _bare_engine(case, "on"),
        "engine:fusion=off": lambda case: _bare_engine(case, "off"),
    }


def _bare_ort(level: onnxruntime.GraphOptimizationLevel) -> Callable[[Case], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = level

    def run(case: Case) -> object:
        if unclaimed(case.model):
            return None
        try:
            session = onnxruntime.InferenceSession(
                case.model, options, providers=["CPUExecutionProvider"]
            )
            return session.run(None, dict(case.inputs))
        except Exception as error:  # what the engine refuses is part of its time
            return error

    return run


def _bare_torch(name: str) -> Callable[[Case], object]:
    adapter = torch_quantized.adapter(name)

    def run(case: Case) -> object:
        try:
            return adapter.run(case.model, dict(case.inputs), {})
        except (Limit, RuntimeError) as error:
            return error

    return run


def _bare_engine(case: Case, fusion: str) -> object:
    try:
        return Session(case.model, fusion=fusion).run(case.inputs)
    except EngineError as error:
        return error


def _timed(run: Callable[[Case], object], cases: Sequence[Case]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for case in cases:
            run(case)
        best = min(best, time.perf_counter() - start)
    return best
