"""A light static pass: names, functions, argument counts, and kinds as far as they are known without a result.

The peer checks types before it evaluates, so `"1" == 1` is an error there even in a branch that is never taken. Known
here are the kinds of literals, of what functions and operators return, and of the result itself when the caller
tells it; everything below the result is unknown and left to the evaluation.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

from analysis.language import nodes
from analysis.language.builtins import FUNCTIONS, METHODS, Function
from analysis.language.errors import ConditionError
from analysis.language.operators import ORDERINGS, mismatch
from analysis.language.values import UNKNOWN, kind_of

Kinds = Mapping[str, str]
"""Kinds of the variables in scope, by name."""

_NUMERIC = frozenset(("int", "float"))
_TEXTUAL = ("contains", "startsWith", "endsWith", "matches")
_ADDITIONS = {
    ("string", "string"): "string",
    ("time", "duration"): "time",
    ("duration", "time"): "time",
    ("duration", "duration"): "duration",
}
_SUBTRACTIONS = {
    ("time", "duration"): "time",
    ("time", "time"): "duration",
    ("duration", "duration"): "duration",
}
_SPECIAL: dict[str, dict[tuple[str, str], str]] = {"+": _ADDITIONS, "-": _SUBTRACTIONS}
_INDEXED = frozenset(("array", "map", "string", "nil", UNKNOWN))
_METHOD_NAMES = sorted({name for _, name in METHODS})


def check(tree: nodes.Node, *, source: str, kinds: Kinds) -> str:
    """The kind of the whole; raises ConditionError where it can be seen now that it cannot work."""
    return _Checker(source).kind(tree, kinds)


class _Checker:
    def __init__(self, source: str) -> None:
        self._source = source

    def kind(self, node: nodes.Node, kinds: Kinds) -> str:
        """The kind a node evaluates to, or `unknown`."""
        return _CHECKS[type(node)](self, node, kinds)

    def _error(self, reason: str, node: nodes.Node) -> ConditionError:
        return ConditionError(reason, source=self._source, position=node.position)

    def _all(self, items: Iterable[nodes.Node | None], kinds: Kinds) -> list[str]:
        return [self.kind(item, kinds) for item in items if item is not None]

    def _literal(self, node: nodes.Literal, kinds: Kinds) -> str:
        return kind_of(node.value)

    def _name(self, node: nodes.Name, kinds: Kinds) -> str:
        if node.name == "$env":
            return "map"
        if node.name not in kinds:
            raise self._error(f"unknown name {node.name}{_near(node.name, (*kinds, *FUNCTIONS))}", node)
        return kinds[node.name]

    def _pointer(self, node: nodes.Pointer, kinds: Kinds) -> str:
        return "int" if node.name == "index" else UNKNOWN

    def _unary(self, node: nodes.Unary, kinds: Kinds) -> str:
        kind = self.kind(node.operand, kinds)
        allowed = ("bool",) if node.operator == "!" else ("int", "float", "duration")
        if kind not in (*allowed, UNKNOWN):
            raise self._error(f"invalid operation: {node.operator} (mismatched type {kind})", node)
        return "bool" if node.operator == "!" else kind

    def _binary(self, node: nodes.Binary, kinds: Kinds) -> str:
        left, right = self.kind(node.left, kinds), self.kind(node.right, kinds)
        found = _RULES[node.operator](node.operator, left, right)
        if found is None:
            raise self._error(mismatch(node.operator, left, right), node)
        return found

    def _conditional(self, node: nodes.Conditional, kinds: Kinds) -> str:
        test = self.kind(node.test, kinds)
        if test not in ("bool", UNKNOWN):
            raise self._error(f"a test should be a bool, not {test}", node.test)
        then, otherwise = self.kind(node.then, kinds), self.kind(node.otherwise, kinds)
        return then if then == otherwise else UNKNOWN

    def _member(self, node: nodes.Member, kinds: Kinds) -> str:
        base, key = self.kind(node.base, kinds), self.kind(node.key, kinds)
        if base not in _INDEXED or (base == "nil" and not node.optional):
            raise self._error(f"type {base} has no field {_shown(node.key)}", node)
        if base == "array" and key == "string":
            raise self._error(f"an array has no field {_shown(node.key)}: pick an item first, such as [0]", node)
        return UNKNOWN

    def _chain(self, node: nodes.Chain, kinds: Kinds) -> str:
        self.kind(node.inner, kinds)
        return UNKNOWN

    def _slice(self, node: nodes.Slice, kinds: Kinds) -> str:
        base = self.kind(node.base, kinds)
        if base not in ("array", "string", UNKNOWN):
            raise self._error(f"cannot slice {base}", node)
        for kind, end in zip(self._all((node.start, node.end), kinds), (node.start, node.end), strict=False):
            if kind not in ("int", "float", UNKNOWN):
                raise self._error(f"a slice takes whole numbers, not {kind}", end or node)
        return base

    def _call(self, node: nodes.Call, kinds: Kinds) -> str:
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise self._error(f"unknown function {node.name}{_near(node.name, FUNCTIONS)}", node)
        given = self._all(node.arguments, kinds)
        self._counted(node, function, len(given))
        if given and function.accepts and given[0] not in (*function.accepts, UNKNOWN):
            wanted = " or ".join(function.accepts)
            raise self._error(f"invalid argument for {node.name} (type {given[0]}), it takes {wanted}", node)
        return function.returns

    def _counted(self, node: nodes.Call, function: Function, given: int) -> None:
        if given < function.least:
            raise self._error(f"not enough arguments to call {node.name}: {given} of {function.least}", node)
        if given > function.most:
            raise self._error(f"too many arguments to call {node.name}: {given}, at most {function.most}", node)

    def _method(self, node: nodes.Method, kinds: Kinds) -> str:
        self.kind(node.base, kinds)
        self._all(node.arguments, kinds)
        if node.name not in _METHOD_NAMES:
            raise self._error(f"unknown method {node.name}{_near(node.name, _METHOD_NAMES)}", node)
        return UNKNOWN

    def _array(self, node: nodes.Array, kinds: Kinds) -> str:
        self._all(node.items, kinds)
        return "array"

    def _map(self, node: nodes.Map, kinds: Kinds) -> str:
        self._all((item for pair in node.pairs for item in pair), kinds)
        return "map"

    def _let(self, node: nodes.Let, kinds: Kinds) -> str:
        if node.name in kinds or node.name in FUNCTIONS or node.name == "$env":
            raise self._error(f"cannot declare {node.name}: the name is taken", node)
        return self.kind(node.body, {**kinds, node.name: self.kind(node.value, kinds)})

    def _sequence(self, node: nodes.Sequence, kinds: Kinds) -> str:
        return self._all(node.items, kinds)[-1]


def _shown(key: nodes.Node) -> str:
    return str(key.value) if isinstance(key, nodes.Literal) else "of that name"


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {found[0]}?" if found else ""


def _arithmetic(symbol: str, left: str, right: str) -> str | None:
    if UNKNOWN in (left, right):
        return None if {left, right} & {"bool", "nil", "array", "map"} else UNKNOWN
    if {left, right} <= _NUMERIC:
        return "int" if left == right == "int" and symbol in "+-*" else "float"
    if symbol in "*/" and "duration" in (left, right) and {left, right} & _NUMERIC:
        return "duration"
    return _SPECIAL.get(symbol, {}).get((left, right))


def _only(*allowed: str, returns: str) -> Callable[[str, str, str], str | None]:
    accepted = {*allowed, UNKNOWN}
    return lambda symbol, left, right: returns if left in accepted and right in accepted else None


def _equality(symbol: str, left: str, right: str) -> str | None:
    same = left == right or {left, right} <= _NUMERIC or {left, right} & {UNKNOWN, "nil"}
    return "bool" if same else None


def _ordering(symbol: str, left: str, right: str) -> str | None:
    comparable = {"int", "float", "string", "time", "duration", UNKNOWN}
    if not {left, right} <= comparable:
        return None
    return _equality(symbol, left, right)


def _membership(symbol: str, left: str, right: str) -> str | None:
    return "bool" if right in ("array", "map", "nil", UNKNOWN) else None


_RULES: dict[str, Callable[[str, str, str], str | None]] = {
    **dict.fromkeys(("+", "-", "*", "/", "**"), _arithmetic),
    "%": _only("int", returns="int"),
    "..": _only("int", returns="array"),
    **dict.fromkeys(("&&", "||"), _only("bool", returns="bool")),
    **dict.fromkeys(("==", "!="), _equality),
    **dict.fromkeys(ORDERINGS, _ordering),
    "in": _membership,
    **dict.fromkeys(_TEXTUAL, _only("string", returns="bool")),
    "??": lambda symbol, left, right: left if left == right else UNKNOWN,
}
_CHECKS: dict[type[nodes.Node], Callable[..., str]] = {
    nodes.Literal: _Checker._literal,
    nodes.Name: _Checker._name,
    nodes.Pointer: _Checker._pointer,
    nodes.Unary: _Checker._unary,
    nodes.Binary: _Checker._binary,
    nodes.Conditional: _Checker._conditional,
    nodes.Member: _Checker._member,
    nodes.Chain: _Checker._chain,
    nodes.Slice: _Checker._slice,
    nodes.Call: _Checker._call,
    nodes.Method: _Checker._method,
    nodes.Array: _Checker._array,
    nodes.Map: _Checker._map,
    nodes.Let: _Checker._let,
    nodes.Sequence: _Checker._sequence,
}
