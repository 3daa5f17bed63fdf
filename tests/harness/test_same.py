"""Two bugs may be told of in words that are the same as far as they are kept."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.outcome import Refused
from harness.same import Bug, recognises
from harness.signature import Signature
from harness.wording import message_words, said_place
from tests.harness.benches import bench_of

CASE = Case(
    onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (float[2] y) { y = MatMul (x, x) }""").SerializeToString(),
    {"x": np.ones(2, np.float32)},
)
RUNNING = "Fail: [ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running"
FOLDER = "/onnxruntime_src/onnxruntime/core/providers/cpu/quantization"
OF_MATMUL = (
    f"{RUNNING} QLinearMatMul node. Name:'' Status Message: {FOLDER}/quantize_linear_matmul.cc:80 "
    "IsBQuantParamSupported(b_offset->Shape(), b ? b->Shape() : b_shape_) was false."
)
OF_BLOCKS = (
    f"{RUNNING} DequantizeLinear node. Name:'' Status Message: {FOLDER}/quantize_linear.cc:81 "
    "quant_block_size == 0 was false. block_size must be 0 for per-tensor quantization."
)
OF_NO_PLACE = "Fail: [ONNXRuntimeError] : 1 : FAIL : Type Error: Type parameter (T) of Add"
MESSAGES = [OF_MATMUL, OF_BLOCKS, OF_NO_PLACE]


def test_what_is_kept_of_two_messages_is_the_same() -> None:
    assert message_words(OF_MATMUL, CASE) == message_words(OF_BLOCKS, CASE)


@pytest.mark.parametrize("known", MESSAGES, ids=["matmul", "blocks", "no_place"])
@pytest.mark.parametrize("said", MESSAGES, ids=["matmul", "blocks", "no_place"])
def test_a_refusal_is_known_by_the_place_it_comes_from(known: str, said: str) -> None:
    place = said_place(known) or "pass QDQSelectorActionTransformer"
    with bench_of("tests.fakes:raises") as bench:
        spec = bench.specs[0]
        signature = Signature(
            spec.name, "refused", "MatMul", "", message_words(known, CASE), place
        )
        bug, outcome = Bug(spec, signature, ()), Refused(said, documented=False)
        assert recognises(bench, bug, CASE, outcome) == (known == said)
