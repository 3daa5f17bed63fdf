"""What two reports of the same bug have in common, in words."""

import pytest

from harness.wording import (
    message_words,
    plain_op,
    said_place,
    types_words,
    without_numbers,
)
from tests.harness.benches import grouped


def test_numbers_addresses_and_lists_of_numbers_do_not_count() -> None:
    first = "cannot broadcast (1,2,5) with (2,1) at 0x7f12"
    assert without_numbers(first) == without_numbers(
        "cannot broadcast (3,1) with (7,) at 0xab"
    )


def test_the_models_own_names_do_not_count_where_they_are_quoted() -> None:
    case = grouped()  # its node is c1, its output y
    said = message_words('output arg (y) of node ("c1_bias_div", Round) is a tensor', case)
    assert said == 'output arg (*) of node ("*_bias_div", Round) is a tensor'
    assert message_words("a yak", case) == "a yak"


@pytest.mark.parametrize(
    "message",
    [
        "operands could not be broadcast together with shapes (2,) (4,)",
        "operands could not be broadcast together with remapped shapes [original->remapped]: (1,2)",
        "could not broadcast input array from shape (2,3) into shape (2,)",
        "cannot reshape array of size 4 into shape (1,2)",
    ],
)
def test_the_ways_of_numpy_to_say_that_shapes_do_not_fit_are_one(message: str) -> None:
    assert (
        message_words(f"ValueError: {message}", grouped()) == "ValueError: shapes do not fit"
    )


RUNNING = "Non-zero status code returned while running {} node. Status Message: {}"
PARAMETERS = "QLinearGlobalAveragePool parameter out of computation range!"
BLOCKS = "/core/quantize_linear.cc:81 block_size must be 0"


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        (
            RUNNING.format("DequantizeLinear", BLOCKS),
            RUNNING.format("QuantizeLinear", BLOCKS),
            "quantize_linear.cc",
        ),
        (
            RUNNING.format("QLinearAveragePool", PARAMETERS),
            RUNNING.format("QLinearGlobalAveragePool", PARAMETERS),
            "QLinearAveragePool",
        ),
        (
            "FAIL : Type Error: Type parameter (T) of Optype (Add) bound to different types (a and b",
            "FAIL : Type Error: Type (tensor(int8)) of output arg (y) of node (n1) does not match",
            "",
        ),
        (
            "PadTransformation: -1 assigned value out of range for i8",
            "PadTransformation: 300 assigned value out of range for u8",
            "",
        ),
        (
            'In Node, ("", Round, "", -1) : ("c_div": tensor(float),) -> ("c_r": tensor(float),) , Error No Op',
            'In Node, ("n/M_r", Round, "", -1) : ("n/M_div": tensor(float),"": x,) -> () , Error No Op',
            "",
        ),
        (
            "running QLinearConv node. Name:'n1_token_1' Status Message: /core/qlinearconv.cc:79 no",
            "running QLinearConv node. Name:'n1' Status Message: /core/qlinearconv.cc:79 no",
            "qlinearconv.cc",
        ),
        (
            "Failed to find kernel for Flatten(24) (node:'n1' ep:'CPUExecutionProvider').",
            "Failed to find kernel for DepthToSpace(1) (node:'t_token_3' ep:'CPUExecutionProvider').",
            "",
        ),
    ],
)
def test_one_bug_in_two_messages(first: str, second: str, place: str) -> None:
    assert message_words(first, grouped()) == message_words(second, grouped())
    assert said_place(first) == said_place(second) == place


def test_short_floats_are_one_type_in_messages() -> None:
    said = {without_numbers(f"tensor(float8{each}) of x") for each in ("e4m3fn", "e5m2fnuz")}
    assert said == {"tensor(floatn) of x"}


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("Node (q0) Op (QuantizeLinear) [TypeInferenceError] output_dtype", "QuantizeLinear"),
        ("status while running QLinearConv node. /a/b/qlinearconv.cc:93 x", "qlinearconv.cc"),
        ("status while running QLinearConv node. Name", "QLinearConv"),
        ("OpenCV(5.0.0) /io/dnn/src/layers/pooling_layer.cpp:231: error", "pooling_layer.cpp"),
        ("Type 'tensor(float8e5m2)' of input parameter (x) of operator (Resize)", ""),
        ("IndexError: tuple index out of range", ""),
        ("OpenCV(5.0.0) /io/dnn/src/net_impl2.cpp:449: error", "net_impl2.cpp"),
        ("RuntimeError: FuseThis: Incompatible dimension", "FuseThis"),
    ],
)
def test_where_a_message_says_that_it_comes_from(message: str, place: str) -> None:
    assert said_place(message) == place


def test_both_forms_of_an_operator_are_one() -> None:
    assert [plain_op(each) for each in ("QLinearConv", "Conv", "QLinear")] == [
        "Conv",
        "Conv",
        "QLinear",
    ]


@pytest.mark.parametrize(
    ("op", "kernel", "plain"),
    [
        ("Gemm", "", "MatMul"),
        ("Gemm", "FullyConnected", "MatMul"),
        ("Gemm", "Gemm", "Gemm"),
        ("QGemm", "", "QGemm"),
        ("MatMul", "FullyConnected", "MatMul"),
    ],
)
def test_a_gemm_is_a_matmul_to_engines_without_a_kernel_of_that_name(
    op: str, kernel: str, plain: str
) -> None:
    assert plain_op(op, kernel) == plain


def test_nodes_that_an_engine_made_have_no_name() -> None:
    said = [
        message_words(f"Node ({name}) Op (Cast) is bad", grouped()) for name in ("g_arg/q", "")
    ]
    assert said == ["Node (*) Op (Cast) is bad"] * 2


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("expected uint8 (4, 1), got int8 (4, 1)", "int8 and uint8 exchanged"),
        ("expected int8 (4, 1), got uint8 (4, 1)", "int8 and uint8 exchanged"),
        ("expected int8 (1, 2), got int8 (2,)", ""),
        ("expected uint8 (), got float32 (1,)", "float32 instead of uint8"),
        ("channel 8 of 18", ""),
    ],
)
def test_another_type_in_words(pattern: str, words: str) -> None:
    assert types_words(pattern) == words
