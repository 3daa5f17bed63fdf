"""The campaign's loop against a bare loop over the same engines."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import onnxruntime

from corpus.case import Case
from engine import EngineError, Session
from generators.graphs import draw_case
from harness.backends import torch_quantized
from harness.backends.pool import Pool
from harness.backends.protocol import Limit
from harness.backends.spec import BackendSpec, parse
from harness.verdicts import judge_all
from tests.benchmarks.clock import Readings, by_part, cpu_seconds, least

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
    cases = _writable(draw_case("conv", "any", seed) for seed in range(CASES))
    ours, bare = _measure(specs, cases)
    total, bare_total = sum(ours.values()), sum(bare.values())
    yield f"loop: draw, run on {len(NAMES)} configurations in worker processes, judge; processor time"
    yield f"  ours  {1e3 / total:6.0f} cases/s   {total:.2f} ms a case   (goal: >= 300 cases/s)"
    for part, each in ours.items():
        yield f"    {part:<28}{each:6.3f} ms   {each / total:4.0%}"
    yield f"  bare  {1e3 / bare_total:6.0f} cases/s   {bare_total:.2f} ms a case: the same sessions, in process"
    for name, each in bare.items():
        yield f"    {name:<28}{each:6.3f} ms"
    yield f"  ours / bare {bare_total / total:.0%}   (goal: >= 40 %)"
    isolated = sum(each for part, each in ours.items() if part not in ("draw", "judge"))
    yield f"  isolation costs {isolated / bare_total - 1:+.0%} of the bare engines   (goal: <= 25 %)"


def _measure(
    specs: Sequence[BackendSpec], cases: Sequence[Case]
) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a case of every part of our loop and of the bare one, batch by batch in turn."""
    ours, bare, engines = Readings(), Readings(), bare_engines()
    with Pool() as pool:
        pool.run(cases[:1], specs)  # start the workers
        for _ in range(ROUNDS):
            for start in range(0, CASES, BATCH):
                _our_batch(ours, pool, specs, start)
                batch = cases[start : start + BATCH]
                for name, run in engines.items():
                    began = time.process_time()
                    for case in batch:
                        run(case)
                    least(bare, start, name, time.process_time() - began)
    ours_ms, bare_ms = (
        {part: seconds / CASES * 1e3 for part, seconds in by_part(each).items()}
        for each in (ours, bare)
    )
    return ours_ms, bare_ms


def _our_batch(kept: Readings, pool: Pool, specs: Sequence[BackendSpec], start: int) -> None:
    began = time.process_time()
    cases = [draw_case("conv", "any", seed) for seed in range(start, start + BATCH)]
    drawn, before = time.process_time(), _workers(pool)
    answers = pool.run(cases, specs)
    ran, after = time.process_time(), _workers(pool)
    for case, outcomes in zip(cases, answers, strict=True):
        judge_all(case, {spec: outcomes[spec.text] for spec in specs})
    judged = time.process_time()
    least(kept, start, "draw", drawn - began)
    for name, seconds in after.items():
        least(kept, start, f"worker {name}", seconds - before[name])
    least(kept, start, "talking to the workers", ran - drawn)
    least(kept, start, "judge", judged - ran)


def _workers(pool: Pool) -> dict[str, float]:
    return {name: cpu_seconds(pid) for (name, *_), pid in pool.pids().items()}


def _writable(cases: Iterable[Case]) -> list[Case]:
    return [
        each.with_inputs({name: array.copy() for name, array in each.inputs.items()})
        for each in cases
    ]


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
