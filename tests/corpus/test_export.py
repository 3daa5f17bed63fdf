from pathlib import Path

import numpy as np
import pytest

from corpus.export import export_opencv
from tests.corpus.models import conv_case


def test_a_fixture_is_three_files(tmp_path: Path) -> None:
    case = conv_case()
    y = np.full((1, 1, 2, 3), 7, np.uint8)
    files = export_opencv(tmp_path, "depthwise", case, {"y": y})
    names = [each.relative_to(tmp_path).as_posix() for each in files]
    assert names == [
        "models/depthwise.onnx",
        "data/input_depthwise.npy",
        "data/output_depthwise.npy",
    ]
    assert files[0].read_bytes() == case.model
    np.testing.assert_array_equal(np.load(files[1]), case.inputs["x"])
    np.testing.assert_array_equal(np.load(files[2]), y)


def test_names_and_outputs_that_the_form_has_no_place_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        export_opencv(tmp_path, "../x", conv_case(), {"y": np.zeros(1)})
    with pytest.raises(ValueError, match="one output"):
        export_opencv(tmp_path, "x", conv_case(), {})
    assert list(tmp_path.iterdir()) == []
