"""What a training reaches, as syntax trees: names are followed, and what they stand for is written.

`docs/decisions/012-code-hash.md` says what counts and what does not.
"""

from __future__ import annotations

import ast
import hashlib
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_mnist.models.registry import Definition
from tune_mnist.sources import (
    OURS,
    Found,
    ImportStatement,
    Module,
    Modules,
    add_origins,
    base_of,
    dotted_name,
    says_nothing,
)

_WORDS = "tune_mnist.errors"  # how a fault is worded changes no result


def hash_of(package: Path, roots: Iterable[Definition]) -> str:
    """Return the hash, in hex, of what the roots reach in the folder of a `tune_mnist`.

    Raises: KeyError: a root does not exist.
    """
    return reach(package, roots, lambda _: None).digest


@dataclass(frozen=True)
class Reach:
    """What a training reaches.

    Args:
        digest: its hash, in hex.
        definitions: our functions, classes and constants.
        libraries: the top-level modules of others that these name.
        places: the files and folders of the top-level modules of your own.
    """

    digest: str
    definitions: frozenset[Definition]
    libraries: frozenset[str]
    places: frozenset[Path]


def reach(
    package: Path, roots: Iterable[Definition], others: Callable[[str], Path | None]
) -> Reach:
    """Follow names from the roots; see `hash_of`.

    Args:
        others: see `Modules`.
    """
    writer = _Writer(Modules(package, others))
    for where, name in roots:
        writer.begin(where, name)
    writer.write_all()
    places = frozenset(filter(None, writer.modules.places.values()))
    text = "\n".join(writer.tokens).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(text).hexdigest()
    return Reach(digest, frozenset(writer.numbers), frozenset(writer.libraries), places)


@dataclass(frozen=True)
class _Scope:
    """Where a node stands.

    Args:
        module: the module.
        defined: the names that the module defines.
        imported: name to all that it may stand for, imports inside the statement included.
        package: what relative imports begin at.
        worded: inside what says why something failed: its texts change no result.
        in_class: directly in the body of a class, where annotations can be fields.
        decorated: in the signature of a decorated function, whose annotations the decorator may
            read.
    """

    module: str
    defined: Container[str]
    imported: Mapping[str, Sequence[str]]
    package: str
    worded: bool = False
    in_class: bool = False
    decorated: bool = False


class _Writer:
    """Writes what a training reaches, without names of modules.

    A definition is written as its number, in the order of first mention: two of the same name stay
    apart, and no module's name is needed.

    Attributes:
        tokens: what is written.
        numbers: of each definition that was reached.
        libraries: the top-level modules of others that were named.
    """

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.tokens: list[str] = []
        self.numbers: dict[Definition, int] = {}
        self.libraries: set[str] = set()
        self._left: deque[Definition] = deque()
        self._imported: set[str] = set()
        self._effects: list[tuple[str, ast.stmt]] = []

    def begin(self, where: str, name: str) -> None:
        """Reach what a name stands for in a module. Raises: KeyError: there is none."""
        module = self.modules.get(where)
        if not self.modules.is_ours(where):  # the type of a configuration, from a library
            self.libraries.add(where.partition(".")[0])
            return
        if module is None or not {name, "*"} & {*module.defined, *module.imported}:
            raise KeyError(f"{where} defines no {name}")
        self._import(where)
        for found in self.modules.find(f"{where}.{name}"):
            self._say(found)

    def number(self, definition: Definition) -> int:
        """Return the number of a definition; a new one will be written."""
        if definition not in self.numbers:
            self.numbers[definition] = len(self.numbers)
            self._left.append(definition)
        return self.numbers[definition]

    def write_all(self) -> None:
        """Write the numbered definitions, all that they reach, and what their modules do."""
        while self._left or self._effects:
            while self._left:
                where, name = definition = self._left.popleft()
                self._import(where)
                self.tokens.append(f"definition {self.numbers[definition]}")
                for statement in self._module(where).defined[name]:
                    self._statement(where, statement)
            # Imports are sorted by module, so a renamed module would change any order but this.
            effects = sorted(self._effects, key=lambda one: ast.unparse(one[1]))
            self._effects.clear()
            for where, statement in effects:
                if (where, getattr(statement, "name", "")) not in self.numbers:
                    self._statement(where, statement)

    def _module(self, name: str) -> Module:
        module = self.modules.get(name)
        assert module is not None
        return module

    def _import(self, name: str) -> None:
        """Note what importing a module does: it runs its packages' and its imports' statements."""
        module = self.modules.get(name)
        if module is None or name in self._imported:
            return
        self._imported.add(name)
        self._import(name.rpartition(".")[0])
        for node in module.imports:
            self._import_all(node, module.package)
        self._effects += ((name, statement) for statement in module.effects)

    def _import_all(self, node: ImportStatement, package: str) -> None:
        base = base_of(node, package)
        for one in node.names:
            if base is None:
                self._import(one.name)
            elif one.name == "*" and self.modules.get(base):
                self._all_of(base)
            else:
                self._import(base)
                self._import(f"{base}.{one.name}")

    def _all_of(self, name: str) -> str:
        """Reach everything that a module defines: its object is passed around."""
        self._import(name)
        return f"all {[self.number((name, one)) for one in self._module(name).defined]}"

    def _statement(self, where: str, statement: ast.stmt) -> None:
        module = self._module(where)
        imported = {name: list(origins) for name, origins in module.imported.items()}
        for node in ast.walk(statement):
            if isinstance(node, ImportStatement):
                add_origins(node, module.package, imported)
        self._write(statement, _Scope(where, module.defined, imported, module.package))

    def _write(self, node: ast.AST, scope: _Scope) -> None:
        special = _SPECIAL.get(type(node))
        if special is None or not special(self, node, scope):
            self._write_fields(node, scope)

    def _write_fields(self, node: ast.AST, scope: _Scope) -> None:
        self.tokens.append(f"{type(node).__name__}(")
        for name, value in ast.iter_fields(node):
            if name not in _UNSAID and value not in (None, []):
                self.tokens.append(f"{name}=")
                self._write_value(value, scope)
        self.tokens.append(")")

    def _write_value(self, value: object, scope: _Scope) -> None:
        if isinstance(value, ast.AST):
            self._write(value, scope)
        elif isinstance(value, list):
            self.tokens.append("[")
            for one in value:
                if not says_nothing(one):
                    self._write_value(one, scope)
            self.tokens.append("]")
        else:
            self.tokens.append(repr(value))

    def _write_dotted(self, node: ast.AST, scope: _Scope) -> bool:
        """Write a name, or attributes of one, as what it stands for."""
        dotted = dotted_name(node)
        if dotted is None:
            return False
        self.tokens.append(self._meaning(dotted, scope))
        return True

    def _meaning(self, dotted: str, scope: _Scope) -> str:
        first, *rest = dotted.split(".")
        found = [Found(scope.module, first, rest)] if first in scope.defined else []
        others = []
        for origin in scope.imported.get(first, ()):
            whole = ".".join((origin, *rest))
            if self.modules.is_ours(origin):
                found += self.modules.find(whole)
            else:
                others.append(f"library {whole}")
                self.libraries.add(whole.partition(".")[0])
        meanings = dict.fromkeys([*map(self._say, found), *others])
        return " or ".join(meanings) if meanings else f"name {dotted}"

    def _say(self, found: Found) -> str:
        after = "".join(f".{one}" for one in found.attributes)
        if found.module == _WORDS:
            return f"words {found.name}{after}"
        if found.module == OURS:  # its names are loaded when they are used
            return f"public {found.name}{after}"
        if not found.name:
            return self._all_of(found.module)
        return f"ours {self.number((found.module, found.name))}{after}"

    def _write_import(self, node: ImportStatement, scope: _Scope) -> bool:
        """Write nothing: what its names stand for is written where they are used."""
        self._import_all(node, scope.package)
        return True

    def _write_constant(self, node: ast.Constant, scope: _Scope) -> bool:
        value = node.value
        if isinstance(value, str) and scope.worded:
            value = ""
        elif isinstance(value, str) and self._is_module(value):
            self.tokens.append(self._all_of(value))
            return True
        self.tokens.append(f"constant {value!r}")  # None stands for an absent field too
        return True

    def _is_module(self, text: str) -> bool:
        """Return whether a text is the name of one of our modules: it will be imported by it."""
        return text.partition(".")[0] == OURS and self.modules.get(text) is not None

    def _write_joined(self, _node: ast.JoinedStr, scope: _Scope) -> bool:
        if scope.worded:
            self.tokens.append("constant ''")
        return scope.worded

    def _write_raise(self, node: ast.Raise, scope: _Scope) -> bool:
        self._write_fields(node, replace(scope, worded=True))
        return True

    def _write_call(self, node: ast.Call, scope: _Scope) -> bool:
        dotted = dotted_name(node.func)
        words = dotted is not None and self._meaning(dotted, scope).startswith("words ")
        if words:
            self._write_fields(node, replace(scope, worded=True))
        return words

    def _write_arg(self, node: ast.arg, scope: _Scope) -> bool:
        self.tokens.append(f"arg {node.arg}")
        if scope.decorated and node.annotation is not None:
            self._write(node.annotation, scope)
        return True

    def _write_function(self, node: ast.FunctionDef, scope: _Scope) -> bool:
        inside = replace(scope, in_class=False, decorated=False)
        signature = replace(inside, decorated=bool(node.decorator_list))
        self.tokens.append(f"{type(node).__name__} {node.name}")
        self._write_value(node.decorator_list, inside)
        self._write(node.args, signature)
        if signature.decorated and node.returns is not None:
            self._write(node.returns, inside)
        self._write_value(node.body, inside)
        return True

    def _write_class(self, node: ast.ClassDef, scope: _Scope) -> bool:
        self._write_fields(node, replace(scope, in_class=True))
        return True

    def _write_annotated(self, node: ast.AnnAssign, scope: _Scope) -> bool:
        if scope.in_class:
            return False
        if node.value is not None:
            self._write(ast.Assign([node.target], node.value), scope)
        return True


_UNSAID = ("ctx", "kind", "type_comment")
"""Fields of a syntax tree that change nothing: where a node stands says whether it is assigned."""

_SPECIAL: Mapping[type[ast.AST], Callable[[_Writer, Any, _Scope], bool]] = {
    ast.AnnAssign: _Writer._write_annotated,
    ast.arg: _Writer._write_arg,
    ast.AsyncFunctionDef: _Writer._write_function,
    ast.Attribute: _Writer._write_dotted,
    ast.Call: _Writer._write_call,
    ast.ClassDef: _Writer._write_class,
    ast.Constant: _Writer._write_constant,
    ast.FunctionDef: _Writer._write_function,
    ast.Import: _Writer._write_import,
    ast.ImportFrom: _Writer._write_import,
    ast.JoinedStr: _Writer._write_joined,
    ast.Name: _Writer._write_dotted,
    ast.Raise: _Writer._write_raise,
}
"""Nodes that are not written field by field. A writer returns False to leave it at that."""
