"""From a syntax tree to a closure: each node becomes a function of the frame, chosen once, at compile time.

Errors raised by operators and functions know no place; the node that called them adds its own. Evaluating
`result[0] >= 0.95` is three nested calls, about a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from analysis.language import nodes
from analysis.language.builtins import FUNCTIONS, METHODS
from analysis.language.builtins.base import whole
from analysis.language.errors import ConditionError
from analysis.language.operators import BINARY, ORDERINGS, UNARY
from analysis.language.values import NUMBERS, Eval, Frame, kind_of


class _Skipped:
    """What an optional link leaves for the rest of its chain when it finds nil."""


_SKIPPED = _Skipped()


def compiled(tree: nodes.Node, *, source: str) -> Eval:
    """A closure for a tree that passed the check."""
    return _Compiler(source).node(tree)


class _Compiler:
    def __init__(self, source: str) -> None:
        self._source = source

    def node(self, node: nodes.Node) -> Eval:
        """The closure of any node."""
        return _COMPILERS[type(node)](self, node)

    def _placed(self, node: nodes.Node, run: Eval) -> Eval:
        """`run`, whose errors point at `node`."""
        source, position = self._source, node.position

        def placed(frame: Frame) -> Any:
            try:
                return run(frame)
            except ConditionError as error:
                raise error.at(source=source, position=position) from error.__cause__
            except (ArithmeticError, ValueError, TypeError) as error:
                raise ConditionError(f"cannot be computed: {error}", source=source, position=position) from error

        return placed

    def _literal(self, node: nodes.Literal) -> Eval:
        value = node.value
        return lambda frame: value

    def _name(self, node: nodes.Name) -> Eval:
        name = node.name
        if name == "$env":
            return lambda frame: {"result": frame.variables.get("result")}
        return lambda frame: frame.variables[name]

    def _pointer(self, node: nodes.Pointer) -> Eval:
        return _POINTERS[node.name]

    def _unary(self, node: nodes.Unary) -> Eval:
        apply, operand = UNARY[node.operator], self.node(node.operand)
        return self._placed(node, lambda frame: apply(frame, operand(frame)))

    def _binary(self, node: nodes.Binary) -> Eval:
        left, right = self.node(node.left), self.node(node.right)
        if node.operator in _LAZY:
            return self._placed(node, _LAZY[node.operator](left, right))
        if node.operator in ORDERINGS:
            return self._ordering(node, left, right)
        apply = BINARY[node.operator]
        return self._placed(node, lambda frame: apply(frame, left(frame), right(frame)))

    def _ordering(self, node: nodes.Binary, left: Eval, right: Eval) -> Eval:
        # Comparing two numbers is what nearly every condition does: no detour for it.
        compare, apply = ORDERINGS[node.operator], BINARY[node.operator]
        source, position = self._source, node.position

        def ordered(frame: Frame) -> bool:
            first, second = left(frame), right(frame)
            if type(first) in NUMBERS and type(second) in NUMBERS:
                return compare(first, second)
            try:
                return bool(apply(frame, first, second))
            except ConditionError as error:
                raise error.at(source=source, position=position) from None

        return ordered

    def _conditional(self, node: nodes.Conditional) -> Eval:
        test, then, otherwise = self.node(node.test), self.node(node.then), self.node(node.otherwise)
        decide = self._placed(node.test, lambda frame: _truth(test(frame), "a test"))
        return lambda frame: then(frame) if decide(frame) else otherwise(frame)

    def _member(self, node: nodes.Member) -> Eval:
        base, key = self.node(node.base), self.node(node.key)
        optional = node.optional

        def member(frame: Frame) -> Any:
            owner = base(frame)
            if owner is _SKIPPED or (owner is None and optional):
                return _SKIPPED
            return _fetch(owner, key(frame))

        return self._placed(node, member)

    def _chain(self, node: nodes.Chain) -> Eval:
        inner = self.node(node.inner)

        def chain(frame: Frame) -> Any:
            found = inner(frame)
            return None if found is _SKIPPED else found

        return chain

    def _slice(self, node: nodes.Slice) -> Eval:
        base = self.node(node.base)
        start = self.node(node.start) if node.start else _nothing
        end = self.node(node.end) if node.end else _nothing

        def cut(frame: Frame) -> Any:
            owner = base(frame)
            return owner if owner is _SKIPPED else _cut(frame, owner, start(frame), end(frame))

        return self._placed(node, cut)

    def _call(self, node: nodes.Call) -> Eval:
        function = FUNCTIONS[node.name]
        call, given = function.call, [self.node(argument) for argument in node.arguments]
        if function.predicate and len(given) > 1:
            values, predicate, rest = given[0], given[1], given[2:]
            return self._placed(
                node, lambda frame: call(frame, values(frame), predicate, *[item(frame) for item in rest])
            )
        if len(given) == 1:
            only = given[0]
            return self._placed(node, lambda frame: call(frame, only(frame)))
        return self._placed(node, lambda frame: call(frame, *[item(frame) for item in given]))

    def _method(self, node: nodes.Method) -> Eval:
        base, name = self.node(node.base), node.name
        given = [self.node(argument) for argument in node.arguments]

        def method(frame: Frame) -> Any:
            owner = base(frame)
            if owner is _SKIPPED:
                return owner
            return _invoke(owner, name, [item(frame) for item in given])

        return self._placed(node, method)

    def _array(self, node: nodes.Array) -> Eval:
        items = [self.node(item) for item in node.items]
        return lambda frame: [item(frame) for item in items]

    def _map(self, node: nodes.Map) -> Eval:
        pairs = [(self.node(key), self.node(value)) for key, value in node.pairs]
        return self._placed(node, lambda frame: {_map_key(key(frame)): value(frame) for key, value in pairs})

    def _let(self, node: nodes.Let) -> Eval:
        name, value, body = node.name, self.node(node.value), self.node(node.body)

        def let(frame: Frame) -> Any:
            frame.variables[name] = value(frame)
            return body(frame)

        return let

    def _sequence(self, node: nodes.Sequence) -> Eval:
        items = [self.node(item) for item in node.items]
        return lambda frame: [item(frame) for item in items][-1]


def _nothing(frame: Frame) -> None:
    return None


def _truth(value: Any, what: str) -> bool:
    if type(value) is bool:
        return value
    raise ConditionError(f"{what} should be a bool, not {kind_of(value)}")


def _and(left: Eval, right: Eval) -> Eval:
    return lambda frame: _truth(left(frame), "the left of &&") and _truth(right(frame), "the right of &&")


def _or(left: Eval, right: Eval) -> Eval:
    return lambda frame: _truth(left(frame), "the left of ||") or _truth(right(frame), "the right of ||")


def _coalesce(left: Eval, right: Eval) -> Eval:
    def coalesce(frame: Frame) -> Any:
        found = left(frame)
        return right(frame) if found is None else found

    return coalesce


def _fetch(owner: Any, key: Any) -> Any:
    if type(owner) is list:
        return _item(owner, key)
    if type(owner) is dict:
        if type(key) is not str:
            raise ConditionError(f"a map has no key of type {kind_of(key)}")
        return owner.get(key)
    shown = f"{key:.60}" if type(key) is str else kind_of(key)
    raise ConditionError(f"cannot fetch {shown} from {kind_of(owner)}")


def _item(owner: list[Any], key: Any) -> Any:
    if type(key) is str:
        raise ConditionError(f"cannot fetch {key:.60} from array: pick an item first, such as [0]")
    index = whole("an index", key)
    if -len(owner) <= index < len(owner):
        return owner[index]
    raise ConditionError(f"index out of range: {index} (array length is {len(owner)})")


def _cut(frame: Frame, owner: Any, start: Any, end: Any) -> Any:
    if type(owner) not in (list, str):
        raise ConditionError(f"cannot slice {kind_of(owner)}")
    frame.spend(len(owner))
    first = None if start is None else whole("a slice", start)
    last = None if end is None else whole("a slice", end)
    return owner[first:last]


def _invoke(owner: Any, name: str, given: list[Any]) -> Any:
    found = METHODS.get((datetime if isinstance(owner, datetime) else timedelta, name))
    if found is None or not isinstance(owner, datetime | timedelta):
        raise ConditionError(f"{kind_of(owner)} has no method {name}")
    call, wanted = found
    if len(given) != wanted:
        raise ConditionError(f"{name} takes {wanted} arguments, not {len(given)}")
    return call(owner, *given)


def _map_key(value: Any) -> str:
    if type(value) is str:
        return value
    raise ConditionError(f"a key should be a string, not {kind_of(value)}")


_POINTERS: dict[str, Eval] = {
    "": lambda frame: frame.item,
    "index": lambda frame: frame.index,
    "acc": lambda frame: frame.acc,
}
_LAZY: dict[str, Callable[[Eval, Eval], Eval]] = {"&&": _and, "||": _or, "??": _coalesce}
_COMPILERS: dict[type[nodes.Node], Callable[..., Eval]] = {
    nodes.Literal: _Compiler._literal,
    nodes.Name: _Compiler._name,
    nodes.Pointer: _Compiler._pointer,
    nodes.Unary: _Compiler._unary,
    nodes.Binary: _Compiler._binary,
    nodes.Conditional: _Compiler._conditional,
    nodes.Member: _Compiler._member,
    nodes.Chain: _Compiler._chain,
    nodes.Slice: _Compiler._slice,
    nodes.Call: _Compiler._call,
    nodes.Method: _Compiler._method,
    nodes.Array: _Compiler._array,
    nodes.Map: _Compiler._map,
    nodes.Let: _Compiler._let,
    nodes.Sequence: _Compiler._sequence,
}
