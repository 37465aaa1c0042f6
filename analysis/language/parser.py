"""From tokens to a syntax tree: operator precedence by Pratt's method, the precedences as a table.

The grammar is that of expr-lang, which the peer uses, so that conditions written for it read the same here:

    condition  = sequence
    sequence   = {"let" name "=" expression ";"} expression {";" expression}
    expression = unary {binary-operator unary} ["?" expression ":" expression]
    unary      = ("!" | "-" | "+") unary | primary {"." name | "?." name | "[" index "]" | "[" slice "]"}

A predicate (`all(result, {# > 1})`, or without braces) is parsed by the built-ins that take one; inside, `.field`
stands for `#.field`.
"""

from __future__ import annotations

from collections.abc import Callable

from analysis.language import nodes
from analysis.language.cursor import Cursor
from analysis.language.lexer import Token

BINARY = {
    "|": 0,
    "||": 10,
    "&&": 15,
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    **dict.fromkeys("+-", 30),
    **dict.fromkeys("*/%", 60),
    "**": 100,
    "??": 500,
}
"""How tightly a binary operator binds; higher is tighter."""
RIGHT_ASSOCIATIVE = frozenset(("**",))
UNARY = {"!": 50, "-": 90, "+": 90}
NEGATABLE = ("in", "matches", "contains", "startsWith", "endsWith")
ORDERING = ("<", ">", "<=", ">=")
PREDICATES = {
    **dict.fromkeys(("all", "any", "none", "one", "filter", "map", "find", "findIndex", "findLast"), 1),
    **dict.fromkeys(("findLastIndex", "groupBy", "count", "sum", "sortBy", "reduce"), 1),
}
"""Built-ins of which an argument is a predicate, and which one it is, from 0."""
_CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(source: str) -> nodes.Node:
    """The tree of a condition. Raises ConditionError with the place of the first mistake."""
    parser = _Parser(source)
    tree = parser.sequence()
    parser.expect_end()
    return tree


class _Parser(Cursor):
    """Each method reads one construct and returns its node."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._predicates = 0

    # -- sequences and operators -------------------------------------------------------------------------------------

    def sequence(self) -> nodes.Node:
        """`let a = 1; b; c`, up to what cannot belong to it."""
        first = self._now
        items = [self._statement()]
        while self._accept(";"):
            if self._now.kind == "end" or self._now.is_operator("}", ")"):
                break
            items.append(self._statement())
        if len(items) == 1:
            return items[0]
        return self._counted(nodes.Sequence(tuple(items), position=first.position))

    def _statement(self) -> nodes.Node:
        token = self._now
        return self._deeper(self._let if token.kind == "name" and token.value == "let" else self._expression)

    def _let(self) -> nodes.Node:
        start = self._take()
        if self._now.kind != "name":
            raise self._unexpected(", the name of a variable was expected")
        name = self._take().value
        self._expect("=")
        value = self._expression()
        self._expect(";")
        return self._counted(nodes.Let(name, value, self.sequence(), position=start.position))

    def _expression(self, precedence: int = 0) -> nodes.Node:
        return self._deeper(lambda: self._operators(precedence))

    def _operators(self, precedence: int) -> nodes.Node:
        left = self._unary()
        previous = ""
        grown = 0
        while (operator := self._binary(precedence)) is not None:
            left = self._applied(left, operator, previous)
            previous = operator.value
            grown = self._chained(grown)
        self._depth -= grown
        return self._ternary(left) if precedence == 0 else left

    def _binary(self, precedence: int) -> Token | None:
        token = self._now
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if token.is_operator("!") and following.is_operator(*NEGATABLE):
            return token if BINARY[following.value] >= precedence else None
        if token.kind == "operator" and BINARY.get(token.value, -1) >= precedence:
            return token
        return None

    def _applied(self, left: nodes.Node, operator: Token, previous: str) -> nodes.Node:
        self._take()
        negated = operator.value == "!"
        if negated:
            operator = self._take()
        if previous == "??" and operator.value != "??":
            raise self._error(f"?? and {operator.value} cannot be mixed: put parentheses around one", operator)
        if operator.value == "|":
            return self._piped(left)
        node = self._operated(left, operator)
        return self._counted(nodes.Unary("!", node, position=operator.position)) if negated else node

    def _operated(self, left: nodes.Node, operator: Token) -> nodes.Node:
        binding = BINARY[operator.value]
        right = self._expression(binding if operator.value in RIGHT_ASSOCIATIVE else binding + 1)
        node = self._counted(nodes.Binary(operator.value, left, right, position=operator.position))
        links = 0
        while operator.value in ORDERING and self._now.is_operator(*ORDERING):  # 1 < x < 2 means 1 < x && x < 2
            operator = self._take()
            middle, right = right, self._expression(binding + 1)
            links = self._chained(links)
            link = self._counted(nodes.Binary(operator.value, middle, right, position=operator.position))
            node = self._counted(nodes.Binary("&&", node, link, position=operator.position))
        self._depth -= links
        return node

    def _piped(self, left: nodes.Node) -> nodes.Node:
        if self._now.kind != "name":
            raise self._unexpected(", the name of a function was expected after |")
        return self._postfix(self._call(self._take(), first=left))

    def _ternary(self, test: nodes.Node) -> nodes.Node:
        token = self._now
        if not self._accept("?"):
            return test
        if self._accept(":"):
            return self._counted(nodes.Conditional(test, test, self._expression(), position=token.position))
        then = self._expression()
        self._expect(":")
        return self._counted(nodes.Conditional(test, then, self._expression(), position=token.position))

    def _unary(self) -> nodes.Node:
        token = self._now
        if not self._accept(*UNARY):
            return self._postfix(self._primary())
        operand = self._expression(UNARY[token.value])
        return self._counted(nodes.Unary(token.value, operand, position=token.position))

    # -- primaries ---------------------------------------------------------------------------------------------------

    def _primary(self) -> nodes.Node:
        token = self._now
        if token.kind == "operator":
            read = _OPENINGS.get(token.value)
            if read is None or (token.value == "." and not self._predicates):
                raise self._unexpected()
            return self._counted(read(self))
        if token.kind == "end":
            raise self._unexpected()
        self._take()
        return self._counted(_PRIMARIES[token.kind](self, token))

    def _literal(self, token: Token) -> nodes.Node:
        return nodes.Literal(token.value, position=token.position)

    def _pointer(self, token: Token) -> nodes.Node:
        if not self._predicates:
            raise self._error(f"#{token.value} means the item of a predicate: use it within one", token)
        if token.value not in ("", "acc", "index"):
            raise self._error(f"unknown pointer #{token.value}", token)
        return nodes.Pointer(token.value, position=token.position)

    def _name(self, token: Token) -> nodes.Node:
        if token.value in _CONSTANTS:
            return nodes.Literal(_CONSTANTS[token.value], position=token.position)
        if token.value == "if":
            return self._if(token)
        if self._now.is_operator("("):
            return self._call(token)
        return nodes.Name(token.value, position=token.position)

    def _if(self, token: Token) -> nodes.Node:
        test = self._expression()
        then = self._braced()
        if not (self._now.kind == "name" and self._now.value == "else"):
            raise self._unexpected(", 'else' was expected")
        self._take()
        follows = self._now
        if follows.kind == "name" and follows.value == "if":
            self._take()
            otherwise = self._deeper(lambda: self._if(follows))
        else:
            otherwise = self._braced()
        return nodes.Conditional(test, then, otherwise, position=token.position)

    def _braced(self) -> nodes.Node:
        self._expect("{")
        body = self.sequence()
        self._expect("}")
        return body

    def _grouped(self) -> nodes.Node:
        self._expect("(")
        inner = self.sequence()
        self._expect(")")
        return inner

    def _array(self) -> nodes.Node:
        start = self._expect("[")
        return nodes.Array(self._list("]", self._expression), position=start.position)

    def _list(self, closing: str, read: Callable[[], nodes.Node]) -> tuple[nodes.Node, ...]:
        items: list[nodes.Node] = []
        while not self._accept(closing):
            if items:
                self._expect(",")
                if self._accept(closing):
                    break
            items.append(read())
        return tuple(items)

    def _map(self) -> nodes.Node:
        start = self._expect("{")
        pairs: list[tuple[nodes.Node, nodes.Node]] = []
        while not self._accept("}"):
            if pairs:
                self._expect(",")
                if self._accept("}"):
                    break
            key = self._key()
            self._expect(":")
            pairs.append((key, self._expression()))
        return nodes.Map(tuple(pairs), position=start.position)

    def _key(self) -> nodes.Node:
        if self._now.is_operator("("):
            return self._expression()
        if self._now.kind not in ("name", "string", "number"):
            raise self._unexpected(", a key was expected: a name, a string, a number or (an expression)")
        token = self._take()
        return self._counted(nodes.Literal(str(token.value), position=token.position))

    def _item_field(self) -> nodes.Node:
        dot = self._expect(".")
        return self._field(nodes.Pointer("", position=dot.position), optional=False)

    # -- members and calls -------------------------------------------------------------------------------------------

    def _postfix(self, node: nodes.Node) -> nodes.Node:
        optional = False
        grown = 0
        while self._now.is_operator(".", "?.", "["):
            token = self._take()
            optional = optional or token.value == "?."
            node = self._link(node, token)
            grown = self._chained(grown)
        self._depth -= grown
        return self._counted(nodes.Chain(node, position=node.position)) if optional else node

    def _link(self, node: nodes.Node, token: Token) -> nodes.Node:
        if token.value == "[":
            return self._counted(self._index(node, token, optional=False))
        if token.value == "?." and self._now.is_operator("["):
            return self._counted(self._index(node, self._take(), optional=True))
        return self._counted(self._field(node, optional=token.value == "?."))

    def _field(self, base: nodes.Node, *, optional: bool) -> nodes.Node:
        token = self._now
        if not token.text.isidentifier():  # also `.in` and `.not`: words that are operators elsewhere
            raise self._unexpected(", the name of a field was expected")
        self._take()
        if self._accept("("):
            return nodes.Method(base, token.text, self._list(")", self._expression), position=token.position)
        key = nodes.Literal(token.text, position=token.position)
        return nodes.Member(base, key, optional, position=token.position)

    def _index(self, base: nodes.Node, bracket: Token, *, optional: bool) -> nodes.Node:
        start = None if self._now.is_operator(":") else self._expression()
        if start is not None and not self._now.is_operator(":"):
            self._expect("]")
            return nodes.Member(base, start, optional, position=bracket.position)
        self._expect(":")
        end = None if self._now.is_operator("]") else self._expression()
        self._expect("]")
        return nodes.Slice(base, start, end, position=bracket.position)

    def _call(self, token: Token, first: nodes.Node | None = None) -> nodes.Node:
        self._expect("(")
        given: list[nodes.Node] = [] if first is None else [first]
        while not self._accept(")"):
            if len(given) > (first is not None):
                self._expect(",")
                if self._accept(")"):
                    break
            given.append(self._argument(token.value, len(given)))
        return self._counted(nodes.Call(token.value, tuple(given), position=token.position))

    def _argument(self, function: str, index: int) -> nodes.Node:
        if PREDICATES.get(function) != index:
            return self._expression()
        self._predicates += 1
        body = self._braced() if self._now.is_operator("{") else self._expression()
        self._predicates -= 1
        return body


_OPENINGS: dict[str, Callable[[_Parser], nodes.Node]] = {
    "(": _Parser._grouped,
    "[": _Parser._array,
    "{": _Parser._map,
    ".": _Parser._item_field,
}
_PRIMARIES: dict[str, Callable[[_Parser, Token], nodes.Node]] = {
    "number": _Parser._literal,
    "string": _Parser._literal,
    "name": _Parser._name,
    "pointer": _Parser._pointer,
}
