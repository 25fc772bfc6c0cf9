"""What is not plain YAML is refused, in one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spaces.conftest import SVM, Read, Refuse
from tune_mnist.errors import InputError
from tune_mnist.spaces import Choice, read_space
from tune_mnist.spaces.strict_yaml import MAX_BYTES, read_yaml

BOMB = "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BOMB, "mine.yaml: line 2: *a is an alias; "),
        ("a: !!python/object/apply:os.system [ls]", "line 1: !!python/object/apply:os.system is a"),
        ("model: svm\nmodel: svm", "mine.yaml: model: given twice; "),
        ("a: {b: 1, b: 2}", "mine.yaml: a.b: given twice; "),
        ("[" * 5000, "mine.yaml: line 1: nested more than 20 deep; "),
        ("a: [b", "mine.yaml: line 1: not YAML: "),
        ("a:\n\tb: 1", "mine.yaml: line 2: not YAML: "),
        ("a: 1\n--- \nb: 1", "mine.yaml: line 2: not YAML: "),
        ("a: \x01", "mine.yaml: not YAML: "),
        ("? [a]\n: 1", "mine.yaml: line 1: a list or mapping as key; "),
        ("", "mine.yaml: is empty; "),
        ("# nothing but this\n", "mine.yaml: is empty; "),
        ("just text", "mine.yaml: 'just text' is not a mapping; "),
        ("a: .nan", "mine.yaml: a: .nan is not a finite 64-bit number; "),
        ("a: [-.inf]", "mine.yaml: a[0]: -.inf is not a finite 64-bit number; "),
        ("a: 1e999", "mine.yaml: a: 1e999 is not a finite 64-bit number; "),
        ("a: 9223372036854775808", "mine.yaml: a: 9223372036854775808 is not a finite 64-bit"),
        ("a: " + "9" * 5000, "999... is not a finite 64-bit number; "),
        ("a: " + "x" * MAX_BYTES, f"mine.yaml: is larger than {MAX_BYTES} bytes; "),
    ],
)
def test_what_is_not_plain_yaml_is_refused_in_one_line(
    refuse: Refuse, text: str, line: str
) -> None:
    [refused] = refuse(text)
    assert line in refused


def test_every_fault_of_the_yaml_is_named_at_once(refuse: Refuse) -> None:
    assert len(refuse("a: .nan\nb: .inf\nb: 1")) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, problem in [(tmp_path / "no.yaml", "no such file"), (tmp_path, "cannot be read")]:
        with pytest.raises(InputError, match=problem) as caught:
            read_space(path)
        assert str(path) in str(caught.value)


def test_other_encodings_than_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("model: svm".encode("utf-16"))
    with pytest.raises(InputError, match=r"not UTF-8 text \(byte 0 is 0xff\); save it as UTF-8"):
        read_space(path)


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbfmodel: svm")
    assert read_yaml(path) == {"model": "svm"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100),
        ("1e3", 1000),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("-3", -3),
        ("010", 10),
        ("1:30", "1:30"),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("none", "none"),
        ("2020-01-01", "2020-01-01"),
        ("'1'", "1"),
    ],
)
def test_scalars_follow_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"a: {text}")
    found = read_yaml(path)["a"]
    assert (found, type(found)) == (value, type(value))


def test_scientific_notation_is_a_number_in_a_space(read: Read) -> None:
    domain = read(SVM + "  C: {choice: [1e-3, 1e3]}").parameters["C"]
    assert domain == Choice(choice=(0.001, 1000.0))
