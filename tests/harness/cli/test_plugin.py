"""``pytest --quantdiff-backend``, in a project that is not ours."""

from pathlib import Path

import pytest

from tests.harness.cli.strangers import pytest_in

NAMED = ("--quantdiff-backend", "mine:right", "--quantdiff-backend", "mine:picky")
PROJECT = {
    "mine.py": """
from engine import Session

def right(model, inputs):
    return Session(model).run(inputs)

def picky(model, inputs):
    if any(node.op_type == "QLinearConv" for node in model.graph.node):
        raise NotImplementedError("no kernel for QLinearConv")
    return right(model, inputs)
"""
}


def test_processes_share_the_numbers_and_keep_each_bug_once(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    options = ("--quantdiff-cases", "254", "--junit-xml=junit.xml")
    processes = ("-p", "xdist", "-n", "2", "-p", "no:cacheprovider")
    done = pytest_in(tmp_path, PROJECT, *NAMED, *options, *processes)
    assert done.returncode == 1
    assert "2 failed, 2 passed" in done.stdout
    assert "quantdiff[mine:picky 0-249]" in done.stdout
    assert "quantdiff[mine:picky 250-253]" in done.stdout
    assert "Traceback" not in done.stdout
    out = tmp_path / "quantdiff-findings"
    (folder,) = (out / "findings").iterdir()
    assert (folder / "repro.py").is_file()
    assert done.stdout.count(f"  folder quantdiff-findings/findings/{folder.name}\n") == 2
    (told,) = done.stdout.partition("= quantdiff =")[2].partition("\n=")[0].split("\n")[1:]
    assert told.startswith(folder.name)
    assert told.endswith("(2 tests)")
    assert [each.name for each in out.iterdir()] == ["findings"]
    junit = (tmp_path / "junit.xml").read_text()
    assert 'failures="2"' in junit
    assert junit.count("no kernel for QLinearConv") >= 2
    assert junit.count('name="quantdiff_finding"') == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--quantdiff-backend", "nonsense"),
            "--quantdiff-backend: backend 'nonsense' is unknown",
        ),
        ((*NAMED, "--quantdiff-cases", "0"), "--quantdiff-cases"),
        ((*NAMED, "--quantdiff-family", "convs"), "choose from 'conv', 'matmul'"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = pytest_in(tmp_path, PROJECT, *options)
    assert done.returncode == 4
    assert words in done.stderr
    assert "Traceback" not in done.stderr
