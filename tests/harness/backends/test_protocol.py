import ast
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness.backends import protocol

FOLDER = Path(protocol.__file__).parent
PARENT_ONLY = {
    *(
        "batch",
        "catalogue",
        "conversation",
        "description",
        "launch",
        "pool",
        "process",
        "reply",
        "spec",
    )
}
CHILD = sorted(each for each in FOLDER.glob("*.py") if each.stem not in PARENT_ONLY)
DTYPES: list[Any] = [
    *["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"],
    *["float16", "float32", "float64", "complex64", "<U3", "S5"],
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    *(ml_dtypes.int4, ml_dtypes.uint4),
]
SHAPES: list[tuple[int, ...]] = [(), (0,), (3,), (2, 0, 3), (2, 1, 3)]


def there_and_back(header: dict[str, Any], arrays: Any) -> Any:
    message = protocol.encode(header, arrays)
    head = protocol.PREFIX.size
    header_size, body_size = protocol.sizes(message[:head])
    assert len(message) == head + header_size + body_size
    (only,) = protocol.decode(
        message[head : head + header_size], bytearray(message[head + header_size :])
    )
    return only


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_arrives_as_sent(dtype: Any, shape: tuple[int, ...]) -> None:
    sent = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    _, [(name, got)] = there_and_back({}, [("x", sent)])
    assert (name, got.dtype, got.shape) == ("x", sent.dtype, sent.shape)
    assert got.tobytes() == sent.tobytes()


@given(
    st.lists(
        st.tuples(st.text(max_size=4), npst.arrays(npst.scalar_dtypes(), npst.array_shapes())),
        max_size=4,
    )
)
def test_several_arrays_of_any_kind(sent: list[tuple[str, Any]]) -> None:
    header, got = there_and_back({"kind": "values"}, sent)
    assert header == {"kind": "values"}
    assert [(n, a.dtype, a.shape, a.tobytes()) for n, a in got] == [
        (n, a.dtype, a.shape, a.tobytes()) for n, a in sent
    ]


def test_what_arrives_can_be_written_to() -> None:
    _, [(_, got)] = there_and_back({}, [("x", np.zeros(3))])
    got[0] = 1


def test_a_strided_array_arrives_in_order() -> None:
    sent = np.arange(12).reshape(3, 4).T[::2]
    _, [(_, got)] = there_and_back({}, [("x", sent)])
    np.testing.assert_array_equal(got, sent)


def test_messages_of_a_frame_arrive_with_their_own_arrays() -> None:
    sent: list[tuple[str, list[tuple[str, Any]]]] = [
        ("none", []),
        ("two", [("x", np.arange(3)), ("y", np.ones(2))]),
        ("one", [("x", np.zeros((2, 0)))]),
    ]
    packed = [(kind, *protocol.pack(arrays)) for kind, arrays in sent]
    headers = [{"kind": kind, "arrays": described} for kind, described, _ in packed]
    frame = protocol.frame(headers, [body for *_, body in packed])
    head = protocol.PREFIX.size
    middle = head + protocol.sizes(frame[:head])[0]
    got = protocol.decode(frame[head:middle], bytearray(frame[middle:]))
    assert [header for header, _ in got] == [{"kind": kind} for kind, _ in sent]
    for (_, expected), (_, arrays) in zip(sent, got, strict=True):
        assert [name for name, _ in arrays] == [name for name, _ in expected]
        for (_, one), (_, other) in zip(expected, arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def test_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="x has dtype object"):
        protocol.encode({}, [("x", np.array([None]))])


def test_garbage_is_recognised() -> None:
    with pytest.raises(protocol.Garbage):
        protocol.sizes(b"Segmentation fault (core dumped)"[: protocol.PREFIX.size])
    with pytest.raises(protocol.Garbage):
        protocol.decode(b"{not json", bytearray())
    with pytest.raises(protocol.Garbage):
        protocol.decode(b'[{"arrays":[["x","<f4",[9]]]}]', bytearray(3))
    with pytest.raises(protocol.Garbage):
        protocol.decode(b"[1]", bytearray())


@pytest.mark.parametrize("path", CHILD, ids=lambda path: str(path.stem))
def test_child_files_parse_as_python_3_8_and_import_only_their_like(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    allowed = {f"harness.backends.{each.stem}" for each in CHILD} | {"harness.backends"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
            assert node.module in allowed
        for name in node.names if isinstance(node, ast.Import) else ():
            assert name.name.partition(".")[0] not in {"corpus", "generators", "reports"}


@pytest.mark.parametrize("path", CHILD, ids=lambda path: str(path.stem))
def test_child_files_use_nothing_newer_than_python_3_8(path: Path) -> None:
    source = path.read_text()
    for word in ("removeprefix", "removesuffix", "strict=", "slots=", "functools.cache\n"):
        assert word not in source
