"""Every golden file is compared by some test."""

from tests.conftest import GOLDEN


def test_no_golden_file_is_left_over() -> None:
    tests = "".join(each.read_text() for each in GOLDEN.parent.rglob("test_*.py"))
    left_over = [each.name for each in GOLDEN.iterdir() if f'"{each.name}"' not in tests]
    assert left_over == []
