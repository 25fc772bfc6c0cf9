"""The house rules that no linter of ours knows: sizes of functions and folders, whose words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tune_mnist"
SOURCES = sorted(PACKAGE.rglob("*.py"))

NOT_TO_PEOPLE = ("__main__.py", "provenance.py")  # provenance.py speaks to git

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, Function):
                yield f"{file.relative_to(PACKAGE)}:{node.name}", node


def is_kernel(function: Function) -> bool:
    """Whether Numba compiles it: its arrays cannot travel in an object of ours."""
    return any("compiled" in ast.unparse(decorator) for decorator in function.decorator_list)


def parameters(function: Function) -> list[str]:
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [one.arg for one in named if one.arg not in ("self", "cls")]


def is_command(name: str) -> bool:
    """Whether Typer makes its options of it; `search` has them from its request."""
    return name.startswith("cli/") and not name.rpartition(":")[2].startswith("_")


def test_a_function_takes_six_parameters_at_most() -> None:
    many = {
        name: len(parameters(function))
        for name, function in functions()
        if len(parameters(function)) > 6 and not is_kernel(function) and not is_command(name)
    }
    assert many == {}


def test_a_function_fits_a_screen() -> None:
    lengths = {name: (f.end_lineno or 0) - f.lineno + 1 for name, f in functions()}
    assert {name: length for name, length in lengths.items() if length > 60} == {}


@pytest.mark.parametrize("kind", ["tune_mnist", "tests"])
def test_a_folder_holds_fifteen_modules_at_most(kind: str) -> None:
    root = PACKAGE.parent / kind
    counts = {
        str(folder.relative_to(root)): len(list(folder.glob("*.py")))
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir()))
    }
    assert {folder: count for folder, count in counts.items() if count > 15} == {}


def test_all_that_is_printed_is_cleaned() -> None:
    """Commands print with `say` or on a `console`, which escape control characters."""
    printers = ("print", "Console", "rich.print", "typer.echo", "typer.secho")
    raw = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for file in SOURCES
        if file not in (PACKAGE / "cli" / "terminal.py", PACKAGE / "cli" / "console.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in printers
    ]
    assert raw == []


def test_no_room_below_the_command_line_speaks_its_language() -> None:
    """An error names a field in backticks; the command line writes the option (cli/words.py)."""
    said = [
        f"{file.relative_to(PACKAGE)}:{node.lineno} {node.value!r}"
        for file in SOURCES
        if not file.is_relative_to(PACKAGE / "cli") and file.name not in NOT_TO_PEOPLE
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.lstrip().startswith("--") or " --" in node.value
    ]
    assert said == []
