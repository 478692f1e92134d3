"""Measures of functions: numbers of parameters, duplicates, and density of comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Sequence

from tools.architecture.source import Function, Module, functions_of, is_docstring

MIN_STATEMENTS = 6
"""Shorter functions are not compared: many are equal by chance."""
_DIRECTIVE = re.compile(r"#\s*(noqa|type:\s*ignore|fmt:|mypy:|ruff:|pragma)", re.IGNORECASE)
_LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def widest(modules: Sequence[Module], count: int = 10) -> list[tuple[int, str]]:
    """Returns the functions with the most parameters, `self` and `cls` not counted, as (parameters, where).

    Methods that `@dataclass` or a struct generates are not in the source, so they are not counted.
    """
    widths = []
    for module in modules:
        for name, node, is_method in functions_of(module):
            parameters = parameters_of(node)
            is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
            # The first parameter of a method is self or cls.
            widths.append((len(parameters) - (is_method and not is_static), f"{module.path}:{node.lineno} {name}"))
    return sorted(widths, key=lambda item: (-item[0], item[1]))[:count]


def parameters_of(node: Function) -> list[ast.arg]:
    """Returns every parameter of a function; `*args` and `**kwargs` are one each."""
    args = node.args
    variadic, keywords = filter(None, [args.vararg]), filter(None, [args.kwarg])
    return [*args.posonlyargs, *args.args, *variadic, *args.kwonlyargs, *keywords]


def duplicates(modules: Sequence[Module], least: int = MIN_STATEMENTS) -> list[list[str]]:
    """Returns groups of functions that are equal up to local names, each function as `path:line name`.

    Syntax trees are compared without docstrings, decorators and annotations, with local names (parameters and assigned
    variables) numbered in order of occurrence. Attributes, globals and constants must be equal. Functions with fewer
    than `least` statements, nested ones included, are ignored.
    """
    places_of: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for name, node, _ in functions_of(module):
            statements = sum(isinstance(n, ast.stmt) and not is_docstring(n) for n in ast.walk(node)) - 1
            if statements >= least:
                places_of[_normalised(node)].append(f"{module.path}:{node.lineno} {name}")
    return sorted(places for places in places_of.values() if len(places) > 1)


def _normalised(node: Function) -> str:
    # Unparsing makes a copy, so that the module's own tree is not changed.
    copy = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(copy, Function)
    local = {n.arg for n in ast.walk(copy) if isinstance(n, ast.arg)}
    local |= {n.id for n in ast.walk(copy) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return ast.dump(_Normaliser(local).visit(ast.Module([copy], [])))


class _Normaliser(ast.NodeTransformer):
    """Replaces local names by numbers, and drops docstrings, decorators and annotations."""

    def __init__(self, local: set[str]) -> None:
        self._local = local
        self._numbers: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.returns, node.decorator_list = "_", None, []
        node.body = [s for s in node.body if not is_docstring(s)] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._number(node.arg))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        # `x: int` without a value has no effect.
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._number(node.id) if node.id in self._local else node.id, node.ctx)

    def _number(self, name: str) -> str:
        return self._numbers.setdefault(name, f"_{len(self._numbers)}")


def comment_density(modules: Sequence[Module]) -> tuple[int, int]:
    """Returns the number of lines with a comment and the number of lines with code.

    Directives to tools (`noqa`, `type: ignore`, `fmt:`) are not counted as comments, docstrings neither as comments nor
    as code.
    """
    comments = code = 0
    for module in modules:
        in_docstrings = {
            line
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Expr) and is_docstring(node)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        with_comment, with_code = set(), set()
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
            if token.type == tokenize.COMMENT and not _DIRECTIVE.match(token.string):
                with_comment.add(token.start[0])
            # A token of several lines, such as a string, makes each of them code.
            if token.type not in _LAYOUT:
                with_code |= set(range(token.start[0], token.end[0] + 1))
        comments += len(with_comment)
        code += len(with_code - in_docstrings)
    return comments, code
