"""What sources define and import, and where a name in them leads. Nothing is imported.

Sources are ours, or those of a model of your own; both are "ours" below, what is installed is not.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ImportStatement = ast.Import | ast.ImportFrom

OURS = "tune_mnist"
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PLACES = (ast.Attribute, ast.Subscript)


@dataclass(frozen=True)
class Module:
    """What a module's source defines, imports, and does when it is imported.

    Args:
        package: what its relative imports begin at.
        defined: name to the statements that define it.
        imported: name to all that it may stand for: "numpy", "tune_mnist.training.svm.smo".
        imports: the import statements.
        effects: statements that may do more than define a name, a call or a loop for example.
    """

    package: str
    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, list[str]] = field(default_factory=dict)
    imports: list[ImportStatement] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)


@dataclass(frozen=True)
class Modules:
    """The package's modules, and those of others. Each is parsed when it is first asked for.

    Args:
        package: the folder of a `tune_mnist`.
        others: returns the file or folder of another top-level module whose code counts, else None.
    """

    package: Path
    others: Callable[[str], Path | None] = lambda _: None
    parsed: dict[str, Module | None] = field(default_factory=dict)
    places: dict[str, Path | None] = field(default_factory=dict)

    def is_ours(self, dotted: str) -> bool:
        """Return whether a dotted name begins at a module whose code counts."""
        return self.place(dotted.partition(".")[0]) is not None

    def place(self, top: str) -> Path | None:
        """Return the file or folder of a top-level module; None if its code does not count."""
        if top == OURS:
            return self.package
        if top not in self.places:
            self.places[top] = self.others(top)
        return self.places[top]

    def get(self, name: str) -> Module | None:
        """Return a module by its dotted name; None if it is none of ours."""
        if name not in self.parsed:
            self.parsed[name] = self._parse(name)
        return self.parsed[name]

    def _parse(self, name: str) -> Module | None:
        first, *rest = name.split(".")
        place = self.place(first)
        if place is None:
            return None
        path = place.joinpath(*rest)
        is_package = path.is_dir()
        file = path / "__init__.py" if is_package else path.with_suffix(".py")
        if not file.is_file():
            return None
        package = name if is_package else name.rpartition(".")[0]
        return _module(ast.parse(file.read_bytes()), package, self.is_ours)

    def find(self, dotted: str, seen: frozenset[str] = frozenset()) -> list[Found]:
        """Return what a dotted name of ours may stand for, re-exports followed."""
        parts = dotted.split(".")
        length = len(parts)
        while length and self.get(".".join(parts[:length])) is None:
            length -= 1
        where, rest = ".".join(parts[:length]), parts[length:]
        module = self.get(where)
        if module is None or dotted in seen:
            return []
        if not rest:
            return [Found(where)]
        found = [Found(where, rest[0], rest[1:])] if rest[0] in module.defined else []
        for origin in module.imported.get(rest[0], []):
            found += self.find(".".join((origin, *rest[1:])), seen | {dotted})
        return found or [Found(where, attributes=rest)]


@dataclass(frozen=True)
class Found:
    """Where a name leads.

    Args:
        module: one of ours.
        name: defined at its top; "" stands for the module itself, or for a name that its source
            does not show.
        attributes: what follows the name, or the module.
    """

    module: str
    name: str = ""
    attributes: Sequence[str] = ()


def _module(tree: ast.Module, package: str, is_ours: Callable[[str], bool]) -> Module:
    module = Module(package)
    statements = list(_running(tree.body))
    for statement in statements:
        for node in _top(statement):
            if isinstance(node, _DEFINITIONS):
                module.defined.setdefault(node.name, []).append(statement)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                module.defined.setdefault(node.id, []).append(statement)
            elif isinstance(node, ImportStatement):
                module.imports.append(node)
                add_origins(node, package, module.imported)
    module.effects.extend(one for one in statements if _acts(one, module, is_ours))
    return module


def _running(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that do something; what only type checkers read does nothing."""
    for statement in body:
        if isinstance(statement, ast.If):
            test = ast.unparse(statement.test).replace("typing.", "")
            if test in ("TYPE_CHECKING", "not TYPE_CHECKING"):
                yield from _running(statement.body if "not" in test else statement.orelse)
                continue
        if not says_nothing(statement):
            yield statement


def says_nothing(node: object) -> bool:
    """Return whether it is a docstring, an ellipsis or `pass`."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or isinstance(node, ast.Pass)


def _top(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that are not inside a function or a class."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, _DEFINITIONS):
            left += reversed(list(ast.iter_child_nodes(node)))


def add_origins(node: ImportStatement, package: str, found: dict[str, list[str]]) -> None:
    """Note what each imported name stands for."""
    base = base_of(node, package)
    for one in node.names:
        if base is not None:
            name, origin = one.asname or one.name, f"{base}.{one.name}"
        elif one.asname:
            name, origin = one.asname, one.name
        else:
            name = origin = one.name.partition(".")[0]
        origins = found.setdefault(name, [])
        if origin not in origins:
            origins.append(origin)


def base_of(node: ImportStatement, package: str) -> str | None:
    """Return the module that a `from` import names; None for a plain import."""
    if isinstance(node, ast.Import):
        return None
    if not node.level:
        return node.module
    parts = package.split(".")
    return ".".join((*parts[: len(parts) - node.level + 1], *filter(None, [node.module])))


def _acts(statement: ast.stmt, module: Module, is_ours: Callable[[str], bool]) -> bool:
    """Return whether a top-level statement may do more than define names.

    A function or class with a decorator of ours does: the decorator may enter it in a table.
    """
    if isinstance(statement, _DEFINITIONS):
        names = {
            node.id
            for decorator in statement.decorator_list
            for node in ast.walk(decorator)
            if isinstance(node, ast.Name)
        }
        origins = [one for name in names for one in module.imported.get(name, ())]
        return not names.isdisjoint(module.defined) or any(map(is_ours, origins))
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):  # "table[key] = value" changes a table
        places = (node for node in ast.walk(statement) if isinstance(node, _PLACES))
        return any(isinstance(place.ctx, ast.Store) for place in places)
    return not isinstance(statement, ImportStatement)


def dotted_name(node: ast.AST) -> str | None:
    """Return "a.b.c" for such an expression, None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return f"{before}.{node.attr}" if before else None
    return None
