"""Models of your own: named as `package.module:name` or by an entry point, and imported.

A module is looked for among those installed, then in the folder of the space file, then in the
current folder. These two come last, so a file `random.py` there never takes the place of a library.
Nothing is imported because a store names it: `load` is called for a space file, and for a search
that is to run again.
"""

from __future__ import annotations

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tune_mnist.errors import InputError, input_error, nearest

GROUP = "tune_mnist.models"
"""The group of entry points that name models."""

_MADE_IN = "tune_mnist.training.own.model"  # imported by its name: that room lies above this one
_WORD = r"[^\W\d]\w*"
_PATH = re.compile(rf"{_WORD}(\.{_WORD})*:{_WORD}")
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD = Path(sysconfig.get_paths()["stdlib"]).resolve()


@dataclass(frozen=True)
class _Loaded:
    """A model, and the state of the files that it came from.

    Args:
        model: a `ModelDescription`.
        folders: where it was looked for, beside what is installed and the current folder.
        files: each file of its code that was imported, with its time and size.
    """

    model: Any
    folders: tuple[Path, ...]
    files: dict[Path, tuple[int, int] | None]

    def fresh(self, folders: tuple[Path, ...]) -> bool:
        """Return whether it is what loading it again from these folders would give."""
        return folders in ((), self.folders) and all(
            _state(file) == state for file, state in self.files.items()
        )


_LOADED: dict[str, _Loaded] = {}
_IMPORTED: set[str] = set()  # modules that `load` has imported, and may import again
_ADDED: list[str] = []  # what `load` has put at the end of sys.path


def path_of(name: str) -> str | None:
    """Return "package.module:name" for a name of this form or of an entry point, else None."""
    if _PATH.fullmatch(name):
        return name
    return _offered().get(name)


def entry_points() -> list[str]:
    """Return the names of the models that installed packages offer, sorted."""
    return sorted(_offered())


def _offered() -> dict[str, str]:
    from importlib import metadata  # 20 ms, and few commands need it

    return {one.name: one.value for one in metadata.entry_points(group=GROUP)}


def is_loaded(name: str) -> bool:
    """Return whether this process has imported the model."""
    return name in _LOADED


def loaded(name: str) -> Any:
    """Return a model, a `ModelDescription`; load it if nobody has. Raises: as `load`."""
    if name not in _LOADED:
        load(name)
    return _LOADED[name].model


def load(name: str, folders: Iterable[Path] = (), path: str | None = None) -> None:
    """Import a model, or import it again if its files have changed.

    Args:
        name: in space files and in the store.
        folders: where to look for its modules too, before the current folder: that of the space
            file, if there is one.
        path: "package.module:name"; None asks `path_of`.

    Raises: InputError: it cannot be imported, or is no model. The fault has the key `model`, and
        names no file.
    """
    path = path or path_of(name)
    if path is None:
        raise input_error("", f"{name!r} is not a model", nearest(name, entry_points()), "model")
    places = tuple(folder.resolve() for folder in folders)
    known = _LOADED.get(name)
    if known and known.fresh(places):
        return
    _LOADED.pop(name, None)
    module, _, attribute = path.partition(":")
    _look_in([*places, _current_folder()])
    for old in _IMPORTED:
        sys.modules.pop(old, None)
    _IMPORTED.clear()
    before = set(sys.modules)
    try:
        found = _attribute(_import(name, module), attribute, name)
    finally:
        top = module.partition(".")[0]
        new = {one: file for one in set(sys.modules) - before if (file := _own_file(one, top))}
        _IMPORTED.update(new)
    file = getattr(sys.modules[module], "__file__", None) or ""
    model = import_module(_MADE_IN).model_of(found, name, (module, attribute), file)
    files = {Path(one): _state(Path(one)) for one in {*new.values(), file} if one}
    _LOADED[name] = _Loaded(model, places, files)


def _look_in(folders: Iterable[Path | None]) -> None:
    """Let Python find modules in these folders too, after all others; forget the earlier ones."""
    for old in _ADDED:
        if old in sys.path:
            sys.path.remove(old)
    _ADDED.clear()
    for folder in folders:
        if folder is not None and str(folder) not in sys.path:
            sys.path.append(str(folder))
            _ADDED.append(str(folder))
    invalidate_caches()


def where_is(top: str) -> Path | None:
    """Return the file or folder of a top-level module; None if Python does not find it."""
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.has_location and spec.origin else None


def is_installed(path: Path) -> bool:
    """Return whether a file belongs to Python or to an installed package, not to your own code."""
    path = path.resolve()
    return bool(_INSTALLED.intersection(path.parts)) or _STANDARD in path.parents


def place_in_own_code(error: BaseException) -> str:
    """Return where in your own code an error arose: " (my_cnn.py, line 31)"; "" if nowhere."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({Path(error.filename).name}, line {error.lineno})"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        ours = Path(__file__).parents[1] in file.parents
        if file.is_file() and not ours and not is_installed(file):
            return f" ({file.name}, line {frame.lineno})"
    return ""


def _import(name: str, module: str) -> ModuleType:
    try:
        with _without_bytecode():
            return import_module(module)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # whatever a stranger's code raises
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module}.".startswith(f"{missing}."):
            raise _not_found(missing) from None
        said = " ".join(f"{type(error).__name__}: {error}".split())
        problem = f"{name}: {module} cannot be imported: {said[:300]}{place_in_own_code(error)}"
        fix = f"install {missing}" if missing else "correct it"
        raise input_error("", problem, fix, "model") from None


def _not_found(module: str) -> InputError:
    looked = " or ".join(_ADDED) if _ADDED else str(_current_folder())
    problem = f"there is no module {module} in {looked}, nor is it installed"
    return input_error("", problem, "run the command in its folder, or install it", "model")


def _attribute(module: ModuleType, attribute: str, name: str) -> Any:
    if hasattr(module, attribute):
        return getattr(module, attribute)
    own = [
        one
        for one, value in vars(module).items()
        if not one.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    fix = nearest(attribute, own) if own else "define a function train(config, data, report) there"
    problem = f"{name}: {module.__name__} has no {attribute}"
    raise input_error("", problem, fix, "model")


def _own_file(module: str, top: str) -> str | None:
    """Return the file of a module, if it is in the model's top-level module or not installed."""
    file, first = getattr(sys.modules.get(module), "__file__", None), module.partition(".")[0]
    if not file or first == "tune_mnist":
        return None
    return file if first == top or not is_installed(Path(file)) else None


def _state(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody has removed it
        return None


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Write no compiled copy inside the block: Python may take one of the same second for new."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
