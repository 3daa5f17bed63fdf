"""The blocks are valid, deterministic, and their activations neither vanish nor saturate."""

import numpy as np
import onnx
import onnxruntime
import pytest

from generators.models import BLOCKS, block_case, inputs_of


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("scales", ["tie-free", "tie-rich"])
def test_a_block_is_valid_and_alive(block: str, scales: str) -> None:
    for seed in range(3):
        case = block_case(block, scales, seed)
        onnx.checker.check_model(case.proto(), full_check=True)
        assert case.digest == block_case(block, scales, seed).digest
        session = onnxruntime.InferenceSession(case.model, providers=["CPUExecutionProvider"])
        for y in session.run(None, dict(case.inputs)):
            assert len(np.unique(y)) > 4
            ends = (y == np.iinfo(y.dtype).min) | (y == np.iinfo(y.dtype).max)
            assert ends.mean() < 0.5


def test_inputs_differ_and_fit() -> None:
    case = block_case("resnet", "any", 1)
    more = inputs_of(case, 1)
    first, second = next(more), next(more)
    assert first["x"].shape == case.inputs["x"].shape
    assert first["x"].dtype == case.inputs["x"].dtype
    assert (first["x"] != second["x"]).any()
