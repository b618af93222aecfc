"""Break the code on purpose, one small thing at a time, and see whether a test notices: `make mutation`.

Starting Django and migrating a database takes half a minute, too long to do it for each mutant. So this driver is a
pytest plugin. It runs the chosen tests once, which makes the database, and then forks for each
mutant: the child puts the mutated body into the very function object that everybody imported already, and runs the
tests until one fails. A mutant costs the tests that it runs and nothing else.

Mutated are the bodies of functions. Constants of modules and decorators are not: they are read before a mutant could be
put in. docs/mutation.md explains what survives.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
# What is mutated → the tests that have to notice, those first that notice most.
TARGETS: Final[dict[str, list[str]]] = {
    "keys/tokens.py": ["tests/keys/test_tokens.py"],
    "keys/scopes.py": ["tests/keys/test_scopes.py"],
    "keys/verification.py": [
        "tests/keys/test_verdicts.py",
        "tests/keys/test_verify_api.py",
        "tests/keys/test_hotstore.py",
    ],
    "keys/batch.py": ["tests/keys/test_verdicts.py", "tests/keys/test_hotstore_batch.py"],
    "keys/unchanged.py": ["tests/keys/test_records.py"],
    "keys/records.py": ["tests/keys/test_records.py"],
    "keys/rules.py": [
        "tests/keys/test_lifecycle_details.py",
        "tests/keys/test_lifecycle.py",
        "tests/keys/test_key_policy.py",
    ],
    "keys/services.py": [
        "tests/keys/test_lifecycle_details.py",
        "tests/keys/test_lifecycle.py",
        "tests/keys/test_alerts.py",
    ],
}
_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Div: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change: in which function, on which line, what became what, and the body with it."""

    function: str
    line: int
    change: str
    code: CodeType


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Each way to change `node` alone: words for it, and the new node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            made = copy.deepcopy(node)
            made.ops[place] = _COMPARISONS[type(operator)]()
            yield "another comparison", made
    elif isinstance(node, ast.BoolOp):
        made_bool = copy.deepcopy(node)
        made_bool.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield "and for or" if isinstance(node.op, ast.Or) else "or for and", made_bool
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        made_op = copy.deepcopy(node)
        made_op.op = _OPERATORS[type(node.op)]()
        yield "another operator", made_op
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "without not", node.operand
    elif isinstance(node, ast.Constant):
        value: Any = None
        if isinstance(node.value, bool):
            value = not node.value
        elif isinstance(node.value, int):
            value = node.value + 1
        elif isinstance(node.value, str):
            value = f"XX{node.value}"
        else:
            return
        yield f"{node.value!r} is {value!r}", ast.Constant(value)
    elif isinstance(node, ast.IfExp):
        made_if = copy.deepcopy(node)
        made_if.body, made_if.orelse = node.orelse, node.body
        yield "the other branch", made_if
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "returns None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Raise):
        yield "raises nothing", ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "without the call", ast.Pass()
    elif isinstance(node, ast.keyword) and node.arg and not _is_none(node.value):
        yield f"{node.arg}=None", ast.keyword(node.arg, ast.Constant(None))


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Every mutant of the functions in `source`."""
    tree = ast.parse(source)
    for name, function in _functions(tree):
        for spot in list(_spots(function)):
            for words, new in changes(spot[2]):
                line = getattr(spot[2], "lineno", getattr(getattr(spot[2], "value", None), "lineno", function.lineno))
                parent, field, old, place = spot
                _put(parent, field, place, new)
                try:
                    whole = compile(ast.fix_missing_locations(copy.deepcopy(tree)), path, "exec", dont_inherit=True)
                    yield Mutant(name, line, words, _code(whole, name.split(".")))
                finally:
                    _put(parent, field, place, old)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{inner.name}", inner) for inner in node.body if isinstance(inner, ast.FunctionDef)
            )


def _spots(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, str, ast.AST, int | None]]:
    """Every node of the body with its parent, field and place; not the docstring, not annotations."""
    start = 1 if ast.get_docstring(function, clean=False) is not None else 0
    waiting: list[tuple[ast.AST, str, ast.AST, int | None]] = [
        (function, "body", node, place) for place, node in enumerate(function.body) if place >= start
    ]
    while waiting:
        spot = waiting.pop()
        yield spot
        node = spot[2]
        if isinstance(node, ast.JoinedStr):  # words for people
            continue
        if isinstance(node, ast.Call) and _speaks(spot[0], node):
            continue
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "decorator_list", "format_spec"}:
                continue
            for place, inner in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(inner, ast.AST) and not isinstance(inner, ast.expr_context | ast.operator | ast.cmpop):
                    waiting.append((node, field, inner, place if isinstance(value, list) else None))


def _speaks(parent: ast.AST, call: ast.Call) -> bool:
    """Whether a call holds nothing but words: an error's message, or a text for translation."""
    is_text = bool(call.args) and all(isinstance(part, ast.Constant | ast.JoinedStr) for part in call.args)
    is_translated = isinstance(call.func, ast.Name) and call.func.id in {"_", "gettext"}
    return is_text and (isinstance(parent, ast.Raise) or is_translated)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _code(whole: CodeType, names: list[str]) -> CodeType:
    """The code object of a function, looked for from the outside in; the last of that name, as Python would take."""
    found = whole
    for name in names:
        found = [part for part in found.co_consts if isinstance(part, CodeType) and part.co_name == name][-1]
    return found


def function_of(module: ModuleType, name: str) -> FunctionType:
    """The function object behind decorators."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
    return inspect.unwrap(found)


class Driver:
    """The plugin: baseline, then a fork for each mutant."""

    def __init__(self, path: str, only: str, part: str) -> None:
        self.path, self.only = path, only
        self.part, self.parts = (int(number) for number in part.split("/"))
        self.failed = False
        self.survivors: list[Mutant] = []
        self.made = self.killed = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Whether anything failed so far."""
        self.failed = self.failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own loop."""
        began = time.monotonic()
        items = session.items
        self._run(items)
        if self.failed or session.testsfailed:
            raise session.Failed("The tests fail without any mutant.")
        took = time.monotonic() - began
        module = importlib.import_module(self.path.removesuffix(".py").replace("/", "."))
        source = (ROOT / self.path).read_text(encoding="utf-8")
        lines = source.splitlines()
        chosen = [made for made in mutants(source, str(ROOT / self.path)) if self.only in made.function]
        for mutant in chosen[self.part - 1 :: self.parts]:
            self.made += 1
            if self._survives(module, mutant, items, limit=round(20 + 5 * took)):
                self.survivors.append(mutant)
                _say(f"{self.path}:{mutant.line} {mutant.function}: {mutant.change} | {lines[mutant.line - 1].strip()}")
            else:
                self.killed += 1
        return True

    def _run(self, items: list[pytest.Item]) -> int:
        """All items, with what lives for the session kept: the last is followed by the first. Number of the failed."""
        for place, item in enumerate(items):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=items[(place + 1) % len(items)])
            if self.failed:
                return place
        return -1

    def _survives(self, module: ModuleType, mutant: Mutant, items: list[pytest.Item], limit: int) -> bool:
        child = os.fork()
        if not child:
            signal.alarm(limit)  # a mutant that never ends is one that was noticed
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            reporter = items[0].config.pluginmanager.getplugin("terminalreporter")
            items[0].config.pluginmanager.unregister(reporter)
            try:
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()
                function_of(module, mutant.function).__code__ = mutant.code
                os._exit(min(self._run(items) + 1, 255))
            except BaseException:  # noqa: BLE001  (even an exit is no survival)
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in {0, 255}:
            # Who noticed this one will notice the next, too: first.
            items.insert(0, items.pop(os.WEXITSTATUS(status) - 1))
        return status == 0


def _say(text: str) -> None:
    os.write(_terminal, f"{text}\n".encode())


_terminal = os.dup(1)


def main() -> int:
    """Mutate what is named (all of TARGETS if nothing is); 1 if less than the wanted share was noticed."""
    parser = argparse.ArgumentParser(prog="bench.mutation", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("paths", nargs="*", default=list(TARGETS))
    parser.add_argument("--function", default="", help="only functions whose name holds this")
    parser.add_argument("--part", default="1/1", help="of the mutants only the first of every three, such as 1/3")
    parser.add_argument("--least", type=int, default=85, help="percent of mutants that must be noticed, in each file")
    chosen = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.mutation_settings"
    weakest = 100.0
    for path in chosen.paths:
        if len(chosen.paths) > 1:  # each in a process of its own: modules are imported once
            command = [sys.executable, "-m", "bench.mutation", path, "--least", str(chosen.least)]
            weakest = min(weakest, 0.0 if os.spawnv(os.P_WAIT, sys.executable, command) else 100.0)  # noqa: S606
            continue
        driver = Driver(path, chosen.function, chosen.part)
        tests = [name for name in TARGETS[path] if (ROOT / name).exists()]
        code = pytest.main(
            [
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
                "--no-header",
                "--no-summary",
                "-o",
                "addopts=",
                *tests,
            ],
            plugins=[driver],
        )
        share = 100 * driver.killed / max(1, driver.made)
        weakest = min(weakest, share if code == 0 else 0.0)
        _say(f"{path}: {driver.killed} of {driver.made} mutants noticed, {share:.0f} %")
    return 0 if weakest >= chosen.least else 1


if __name__ == "__main__":
    sys.exit(main())
