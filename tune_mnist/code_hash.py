"""A hash of the code that can change a trial's result; the store's rows carry it.

It is made of syntax trees, not of files. Starting from a model's trainer, it follows names through
our own modules and hashes every function, class and constant that it reaches. So a moved or
renamed file, a comment, a docstring or an annotation leaves it as it is, and a changed constant
does not. The versions of the libraries that compute are hashed too.

How images are read is left out: the data hash already covers the images, labels and split
themselves (docs/decisions/012-code-hash.md).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tune_mnist.provenance import versions

Definition = tuple[str, str]
"""A module, dotted, and a name that is defined at its top."""

_LADDER = ("tune_mnist.training.ladder", "train_ladder")
ROOTS: Mapping[str, tuple[Definition, ...]] = {
    "resnet": (("tune_mnist.training.model", "_train_resnet"), _LADDER),
    "svm": (
        ("tune_mnist.training.model", "_train_svm"),
        ("tune_mnist.training.svm.config", "choose_engine"),
        _LADDER,
    ),
}
"""Where a model's training begins."""

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "resnet": ("numpy", "torch", "torchvision"),
    "svm": ("numba", "numpy", "scikit-learn", "scikit-learn-intelex"),
}
"""The libraries whose arithmetic is in a model's results."""

_PACKAGE = Path(__file__).parent
_WORDS = ("tune_mnist.errors",)  # how a fault is worded changes no result


@cache
def code_hash(model: str) -> str:
    """Return the hash of what can change the result of a model's trials: 16 hex digits."""
    digest = hashlib.sha256(hash_of(_PACKAGE, ROOTS[model]).encode())
    found = versions()
    for name in LIBRARIES[model]:
        digest.update(f"{name}={found.get(name)}\0".encode())
    return digest.hexdigest()[:16]


def hash_of(package: Path, roots: tuple[Definition, ...]) -> str:
    """Return the hash, in hex, of what the roots reach.

    Args:
        package: the folder of `tune_mnist`.
        roots: where to begin.

    Raises: KeyError: a root does not exist.
    """
    modules = _Modules(package)
    texts = sorted(_reached(modules, roots))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class _Module:
    """A module's source: what it defines, what it imports, and what it does when imported.

    Args:
        defined: name to the statements that define it.
        imported: name to what it stands for: "numpy", "torch.nn", "tune_mnist.training.svm.smo".
        effects: statements that define nothing, a call that sets something up for example.
    """

    defined: Mapping[str, list[ast.stmt]]
    imported: Mapping[str, str]
    effects: list[ast.stmt]


@dataclass(frozen=True)
class _Modules:
    """The package's modules, each parsed when it is first asked for."""

    package: Path
    parsed: dict[str, _Module | None] = field(default_factory=dict)

    def get(self, name: str) -> _Module | None:
        """Return a module by its dotted name; None if it is none of ours."""
        if name not in self.parsed:
            self.parsed[name] = self._parse(name)
        return self.parsed[name]

    def _parse(self, name: str) -> _Module | None:
        first, *rest = name.split(".")
        if first != "tune_mnist":
            return None
        path = self.package.joinpath(*rest)
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return _module(ast.parse(file.read_text("utf-8"))) if file.is_file() else None

    def find(self, dotted: str) -> Definition | None:
        """Return where a dotted name of ours is defined, re-exports followed."""
        module, _, name = dotted.rpartition(".")
        found = self.get(module) if module else None
        if found is None or module in _WORDS:
            return None
        if name in found.defined:
            return module, name
        origin = found.imported.get(name)
        return self.find(origin) if origin else None


def _module(tree: ast.Module) -> _Module:
    defined: dict[str, list[ast.stmt]] = {}
    effects = []
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or _says_nothing(statement):
            continue
        names = list(_names(statement))
        for name in names:
            defined.setdefault(name, []).append(statement)
        if not names:
            effects.append(statement)
    return _Module(defined, _imports(tree.body), effects)


def _says_nothing(statement: ast.stmt) -> bool:
    """Return whether a statement is a docstring or is seen by type checkers alone."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)


def _names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement defines, in its branches too."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _imports(body: list[ast.stmt]) -> dict[str, str]:
    """Return what each imported name stands for, wherever in these statements it is imported."""
    found: dict[str, str] = {}
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for one in node.names:
                    top = one.name.partition(".")[0]
                    found[one.asname or top] = one.name if one.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return found


def _reached(modules: _Modules, roots: tuple[Definition, ...]) -> Iterator[str]:
    """Yield the normalised text of everything that the roots reach."""
    left, seen, entered = list(roots), set(roots), set[str]()
    while left:
        where, name = left.pop()
        module = modules.get(where)
        if module is None:
            raise KeyError(f"{where} is no module")
        statements = list(module.defined[name])
        if where not in entered:  # importing it runs these, whatever is used of it
            entered.add(where)
            statements += module.effects
        for statement in statements:
            plain = _Plain(modules, where, module, statement)
            yield ast.unparse(ast.fix_missing_locations(plain.visit(_copy(statement))))
            new = plain.reached - seen
            seen |= new
            left += sorted(new)


def _copy(statement: ast.stmt) -> ast.stmt:
    return ast.parse(ast.unparse(statement)).body[0]


class _Plain(ast.NodeTransformer):
    """Takes away what cannot change a result, and notes which definitions are named.

    Attributes:
        reached: definitions of ours that the statement names.
    """

    def __init__(self, modules: _Modules, where: str, module: _Module, statement: ast.stmt) -> None:
        self._modules = modules
        self._where = where
        self._module = module
        self._imported = {**module.imported, **_imports([statement])}
        self.reached: set[Definition] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._plain_name(node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        dotted = _dotted(node)
        if dotted is not None:
            first, _, rest = dotted.partition(".")
            origin = self._imported.get(first)
            if origin and (found := self._modules.find(f"{origin}.{rest}")):
                self.reached.add(found)
                return ast.Name(found[1], node.ctx)
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Leave an import out: what its names stand for is written where they are used."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Leave it out: see `visit_Import`."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep that it raises; what it says changes no result."""
        return ast.Raise()

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def _plain_name(self, name: str) -> str:
        """Return the name that a definition has where it stands, or what a library calls it."""
        if name in self._module.defined:
            self.reached.add((self._where, name))
            return name
        origin = self._imported.get(name)
        if origin is None:
            return name
        found = self._modules.find(origin)
        if found is None:
            return name if origin.startswith("tune_mnist.") else origin
        self.reached.add(found)
        return found[1]


def _dotted(node: ast.expr) -> str | None:
    """Return "a.b.c" for such an expression, None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None
