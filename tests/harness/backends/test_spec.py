import pytest

from harness.backends import catalogue
from harness.backends.spec import BackendSpec, parse
from harness.errors import BadInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ort", BackendSpec("ort")),
        ("ort:level=off", BackendSpec("ort", (("level", "off"),))),
        (
            "ort:level=off,disable=A+B",
            BackendSpec("ort", (("disable", "A+B"), ("level", "off"))),
        ),
        ("ort@../old/bin/python", BackendSpec("ort", (), "../old/bin/python")),
        ("ort:int8=on@python3.9", BackendSpec("ort", (("int8", "on"),), "python3.9")),
        ("mine:run", BackendSpec("mine:run")),
        ("a.b:c.d:device=cuda:0", BackendSpec("a.b:c.d", (("device", "cuda:0"),))),
        ("a.b:c@/p/python", BackendSpec("a.b:c", (), "/p/python")),
        ("engine:fault=F01+F11", BackendSpec("engine", (("fault", "F01+F11"),))),
    ],
)
def test_every_form_is_read(text: str, expected: BackendSpec) -> None:
    assert parse(text) == expected
    assert parse(expected.text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "backend '' is unknown; known are engine, ort"),
        ("onnxruntime", "known are engine, ort, torch-fbgemm"),
        ("ort:level", "option 'level' is not of the form key=value"),
        ("ort:level=", "option 'level=' is not"),
        ("ort:=off", "option '=off' is not"),
        ("ort:level=off,", "option '' is not"),
        ("ort:level=off,level=all", "given twice"),
        ("ort@", "no interpreter after '@'"),
        ("mine.py", "write package.module:function"),
    ],
)
def test_bad_text_is_one_line_that_says_what_to_do(text: str, words: str) -> None:
    with pytest.raises(BadInput) as error:
        parse(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_options_do_not_depend_on_their_order() -> None:
    assert parse("ort:int8=on,level=all").text == parse("ort:level=all,int8=on").text


def test_an_option_is_set_replaced_and_taken_away() -> None:
    spec = parse("ort:level=all").with_option("disable", "A").with_option("level", "")
    assert spec.text == "ort:disable=A"


def test_campaign_variants_parse() -> None:
    for entry in catalogue.ENTRIES:
        for variant in entry.variants:
            assert parse(BackendSpec(entry.name, variant.options).text).name == entry.name
