"""The spaces that ship, by name."""

from __future__ import annotations

from pathlib import Path

from tune_mnist.errors import input_error, nearest

_PACKAGE = Path(__file__).parents[1]


def _root() -> Path:
    """Return the folder of the spaces that ship: inside the wheel, or in the checkout."""
    installed = _PACKAGE / "search_spaces"
    return installed if installed.is_dir() else _PACKAGE.parent / "search_spaces"


def shipped_spaces() -> dict[str, Path]:
    """Return the name and file of each space that ships, for example `svm` and `report/svm`."""
    return {space_name(path): path for path in sorted(_root().rglob("*.yaml"))}


def space_name(path: Path) -> str:
    """Return a space's name: "report/svm" for one that ships, the stem of any other file."""
    path, root = path.resolve(), _root().resolve()
    return path.relative_to(root).with_suffix("").as_posix() if root in path.parents else path.stem


def find_space(name: str) -> Path:
    """Return the file of a space that ships, or the path of your own file.

    Raises:
        InputError: no space has this name, and it is not a path to a YAML file.
    """
    shipped = shipped_spaces()
    if name in shipped:
        return shipped[name]
    if name.endswith((".yaml", ".yml")) or Path(name).is_file():
        return Path(name)
    fix = nearest(name, list(shipped))
    if ":" in name:
        fix = f"write a space file with the line `model: {name}`, and search that"
    raise input_error(name, "no such space", fix)
