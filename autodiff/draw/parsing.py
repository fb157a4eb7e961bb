"""Expressions such as ``tanh(x*w + b)``, read with :mod:`ast` and a list of what is allowed.

Nothing else is ever evaluated: no attribute, no subscript, no keyword but the listed ones, no
name but the variables. An expression becomes a list of steps for a stack, so that nothing
recurses, however deep it is.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import autodiff.tensor  # noqa: F401 - the operators of tensors
from autodiff.engine.node import Handle, Leaf
from autodiff.errors import AutodiffError, OptionError
from autodiff.namespace import tensors

__all__ = ["FUNCTIONS", "Expression", "ExpressionError", "parse", "read_value"]

_LONGEST = 20_000
_MOST_ENTRIES = 100_000

_NAMES = """
abs acos acosh add asin asinh atan atan2 atanh celu clip copysign cos cosh cumulative_sum divide
elu erf erfc exp expm1 gelu hardsigmoid hardswish hardtanh hypot leaky_relu log log10 log1p log2
log_softmax logaddexp logsigmoid logsumexp matmul matrix_transpose max maximum mean min minimum
mish multiply negative pow prod reciprocal relu relu6 remainder selu sigmoid sign silu sin sinc
sinh softmax softplus softsign sqrt square std subtract sum tan tanh var vecdot xlogy
"""

FUNCTIONS: frozenset[str] = frozenset(_NAMES.split())
"""The functions that an expression may call."""

_OPTIONS = frozenset(["axis", "keepdims", "correction", "alpha", "negative_slope", "beta"])
_CONSTANTS = {"pi": math.pi, "e": math.e}

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
}


class ExpressionError(OptionError):
    """An expression, or a variable's value, that can't be read or computed.

    Attributes
    ----------
    expression : str
    start, end : int
        Which part of it is meant.
    """

    def __init__(self, message: str, expression: str = "", start: int = 0, end: int = 0) -> None:
        shown, left = _window(expression, start)
        marked = ""
        if shown:
            width = max(1, min(end, left + len(shown)) - start)
            marked = f"\n  {shown}\n  {' ' * (start - left)}{'^' * width}"
        super().__init__(f"{message}{marked}")
        self.expression, self.start, self.end = expression, start, end


def _window(expression: str, start: int) -> tuple[str, int]:
    """Return the part of a long expression around a place, and where it begins."""
    left = max(0, start - 40) if len(expression) > 76 else 0
    return expression[left : left + 76].replace("\n", " "), left


@dataclass(frozen=True)
class Step:
    """What to do next: push a number or a variable, or take operands off and push a result."""

    kind: str  # "number", "name", "list" or "call"
    what: Any
    count: int
    options: Mapping[str, Any]
    start: int
    end: int


@dataclass(frozen=True)
class Expression:
    """An expression that was read.

    Attributes
    ----------
    text : str
    steps : tuple of Step
        In the order of a stack machine.
    names : tuple of str
        The variables, in order of appearance.
    """

    text: str
    steps: tuple[Step, ...]
    names: tuple[str, ...]

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Compute the expression; what it records knows its part of the text.

        Raises
        ------
        ExpressionError
            Where operands don't fit, or a number is too large.
        """
        stack: list[Any] = []
        for step in self.steps:
            if step.kind == "number":
                stack.append(step.what)
                continue
            if step.kind == "name":
                stack.append(variables.get(step.what, _CONSTANTS.get(step.what)))
                continue
            operands = stack[len(stack) - step.count :]
            del stack[len(stack) - step.count :]
            stack.append(self._apply(step, operands))
        return stack.pop()

    def _apply(self, step: Step, operands: list[Any]) -> Any:
        start, end = step.start, step.end
        __origin__ = f"expression:1: {self.text[start:end]}"  # what is recorded here is made there
        if step.kind == "list":
            return _listed(operands, self.text, start, end)
        try:
            if all(isinstance(operand, float) for operand in operands):
                result: Any = _on_numbers(step, operands)
            else:
                result = getattr(tensors, step.what)(*operands, **step.options)
        except AutodiffError as error:
            raise ExpressionError(str(error), self.text, start, end) from error
        node = result.node if isinstance(result, Handle) else None
        if node is not None and not isinstance(node, Leaf):
            node.annotated().origin = __origin__
        return result


def _on_numbers(step: Step, operands: list[float]) -> Any:
    """Apply an operation to numbers alone, in float64; the result stays a weak number."""
    function = getattr(tensors, step.what)
    with np.errstate(all="ignore"):
        result = function(*(np.float64(operand) for operand in operands), **step.options)
    value = float(result.array)
    if not math.isfinite(value):
        kind = "is no real number" if math.isnan(value) else "is infinite, in float64 at least"
        raise OptionError(f"this part of the expression {kind}")
    return value


def _listed(operands: list[Any], text: str, start: int, end: int) -> Any:
    try:
        if any(isinstance(operand, Handle) for operand in operands):
            return tensors.stack([_as_tensor(operand) for operand in operands])
        return _numbers(operands)
    except (AutodiffError, ValueError) as error:
        message = "the entries of this list have different shapes"
        raise ExpressionError(f"{message}.", text, start, end) from error


def _as_tensor(operand: Any) -> Any:
    return operand if isinstance(operand, Handle) else tensors.asarray(np.asarray(operand))


def _numbers(operands: list[Any]) -> Any:
    return np.asarray(operands, np.float64)


def parse(text: str, variables: Collection[str]) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text : str
        Numbers, variables, ``+ - * / ** @``, parentheses, lists of numbers and calls of
        :data:`FUNCTIONS`.
    variables : collection of str
        The names that it may use.

    Raises
    ------
    ExpressionError
        Where anything else stands in it; the message shows the place.

    Examples
    --------
    >>> parse("tanh(x*w + 1)", ["x", "w"]).names
    ('x', 'w')
    >>> parse("x.real", ["x"])
    Traceback (most recent call last):
        ...
    autodiff.draw.parsing.ExpressionError: attributes are not allowed in an expression
      x.real
      ^^^^^^
    """
    tree = _tree(text)
    steps: list[Step] = []
    names: dict[str, None] = {}
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, visited = waiting.pop()
        start, end = _place(text, node)
        if visited or isinstance(node, ast.Constant | ast.Name):
            step = _step(node, text, start, end, variables)
            if step.kind == "name" and step.what in variables:
                names[step.what] = None
            steps.append(step)
            continue
        waiting.append((node, True))
        waiting += [(child, False) for child in reversed(_operands(node, text, start, end))]
    return Expression(text, tuple(steps), tuple(names))


def _tree(text: str) -> ast.AST:
    if not text.strip():
        raise ExpressionError("the expression is empty")
    if len(text) > _LONGEST:
        message = f"the expression has {len(text):,} characters"
        raise ExpressionError(f"{message}; up to {_LONGEST:,} are read.")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        # No offset, or 0: at the end, where something is missing.
        start = len(text.rstrip())
        if error.offset:
            start = min(error.offset - 1 + len(text) - len(text.lstrip()), start)
        reason = (error.msg or "this is no expression").partition(". Perhaps")[0]
        raise ExpressionError(f"this can't be read: {reason}", text, start, start + 1) from None
    except (RecursionError, MemoryError):
        raise ExpressionError("the expression is nested too deeply to be read") from None
    except ValueError as error:  # a null byte
        raise ExpressionError(f"this can't be read: {error}") from None


def _place(text: str, node: Any) -> tuple[int, int]:
    """Return where in the text a node stands, in characters: ``ast`` counts bytes."""
    stripped = text.strip()
    skipped = len(text) - len(text.lstrip())
    lines = stripped.split("\n")

    def place(line: int, column: int) -> int:
        before = sum(len(part) + 1 for part in lines[: line - 1])
        return skipped + before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))

    return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)


_NOT_ALLOWED: dict[type[ast.AST], str] = {
    ast.Attribute: "attributes",
    ast.Subscript: "indices",
    ast.Lambda: "functions",
    ast.Compare: "comparisons",
    ast.BoolOp: "`and` and `or`",
    ast.IfExp: "conditions",
    ast.JoinedStr: "strings",
    ast.ListComp: "comprehensions",
    ast.GeneratorExp: "comprehensions",
    ast.Dict: "dictionaries",
    ast.Set: "sets",
    ast.NamedExpr: "assignments",
    ast.Starred: "stars",
    ast.Tuple: "tuples",
}


def _operands(node: ast.AST, text: str, start: int, end: int) -> list[ast.expr]:
    """Return what must be computed before a node, or raise where the node is not allowed."""
    if isinstance(node, ast.BinOp):
        if type(node.op) not in _BINARY:
            message = "only + - * / ** and @ are known here"
            if isinstance(node.op, ast.BitXor):
                message += f"; write {text[start:end].replace('^', '**')}"
            raise ExpressionError(message, text, start, end)
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return [node.operand]
    if isinstance(node, ast.List) and node.elts:
        return node.elts
    if isinstance(node, ast.Call):
        _check_call(node, text, start, end)
        return node.args
    what = _NOT_ALLOWED.get(type(node), "such things")
    if isinstance(node, ast.UnaryOp):
        what = "`not` and ~"
    if isinstance(node, ast.List):
        what = "empty lists"
    raise ExpressionError(f"{what} are not allowed in an expression", text, start, end)


def _check_call(node: ast.Call, text: str, start: int, end: int) -> None:
    function = node.func
    if not isinstance(function, ast.Name):
        raise ExpressionError("only functions can be called by name", text, start, end)
    place = _place(text, function)
    if function.id not in FUNCTIONS:
        known = _suggestion(function.id, FUNCTIONS)
        message = f"there is no function {function.id!r} here{known}"
        raise ExpressionError(message, text, *place)
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        raise ExpressionError("stars are not allowed in an expression", text, start, end)
    if not node.args:
        raise ExpressionError(f"{function.id}() needs an operand", text, start, end)


def _suggestion(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _step(node: ast.AST, text: str, start: int, end: int, variables: Collection[str]) -> Step:
    if isinstance(node, ast.Constant):
        return Step("number", _number(node.value, text, start, end), 0, {}, start, end)
    if isinstance(node, ast.Name):
        if node.id not in variables and node.id not in _CONSTANTS:
            message = f"the variable {node.id!r} has no value"
            if node.id in FUNCTIONS:
                message = f"{node.id!r} is a function: call it, {node.id}(x)"
            else:
                message += f". Give one: {node.id}=2"
            raise ExpressionError(message, text, start, end)
        return Step("name", node.id, 0, {}, start, end)
    if isinstance(node, ast.BinOp):
        return Step("call", _BINARY[type(node.op)], 2, {}, start, end)
    if isinstance(node, ast.UnaryOp):
        name = "negative" if isinstance(node.op, ast.USub) else "positive"
        return Step("call", name, 1, {}, start, end)
    if isinstance(node, ast.List):
        return Step("list", None, len(node.elts), {}, start, end)
    assert isinstance(node, ast.Call)  # noqa: S101 - `_operands` has seen to it
    assert isinstance(node.func, ast.Name)  # noqa: S101
    options = {}
    for keyword in node.keywords:
        if keyword.arg not in _OPTIONS:
            name = "**" if keyword.arg is None else repr(keyword.arg)
            message = f"the option {name} is not known here"
            raise ExpressionError(message, text, *_place(text, keyword))
        options[keyword.arg] = _option(keyword.value, text)
    return Step("call", node.func.id, len(node.args), options, start, end)


def _number(value: Any, text: str, start: int, end: int) -> float:
    if type(value) not in (int, float):
        what = {str: "strings", bytes: "strings", bool: "truth values", complex: "complex numbers"}
        said = what.get(type(value), f"{value!r}s")
        raise ExpressionError(f"{said} are not allowed in an expression", text, start, end)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError("this number is too large for a float64", text, start, end)
    return number


def _option(node: ast.expr, text: str) -> Any:
    """Return an option's value: an integer, a number, a truth value or a tuple of integers."""
    start, end = _place(text, node)
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Tuple):
        return tuple(_option(part, text) for part in node.elts[:64])
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        if isinstance(node.value, bool):
            return node.value
        return sign * node.value
    raise ExpressionError("an option is a number, True or False", text, start, end)


def read_value(name: str, text: str) -> Any:
    """Return a variable's value: a number or nested lists of numbers, as a float64 array.

    >>> read_value("x", "[1, 2.5, -3]").tolist()
    [1.0, 2.5, -3.0]
    >>> read_value("x", "pi/2").item()
    1.5707963267948966
    """
    try:
        value = parse(text, ()).evaluate({})
    except ExpressionError as error:
        message = str(error)
        if "has no value" in message:
            message = "a number, or a list of numbers, is needed" + message[message.index("\n") :]
        if message.startswith("tuples"):
            said, place = message.partition("\n")[::2]
            message = f"{said}. Write {name}=[{text.strip().strip('()').strip(',')}]\n{place}"
        raise ExpressionError(f"the value of {name}: {message}") from None
    array = np.asarray(getattr(value, "array", value), np.float64)
    if array.size > _MOST_ENTRIES:
        raise ExpressionError(f"the value of {name} has more than {_MOST_ENTRIES:,} numbers")
    return array
