"""Where the parser stands in the tokens, and what it may still spend.

Two limits meet hostile text here: the number of nodes, and the depth, which bounds recursion everywhere else too.
"""

from __future__ import annotations

from collections.abc import Callable

from analysis.language import nodes
from analysis.language.errors import ConditionError
from analysis.language.lexer import Token, tokens

MOST_NODES = 10_000
DEEPEST = 100


class Cursor:
    """Position in the tokens, and the budgets."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._at = 0
        self._nodes = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._now
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _accept(self, *symbols: str) -> bool:
        if not self._now.is_operator(*symbols):
            return False
        self._take()
        return True

    def _expect(self, symbol: str) -> Token:
        if not self._now.is_operator(symbol):
            raise self._unexpected(f", {symbol!r} was expected")
        return self._take()

    def expect_end(self) -> None:
        """Refuse anything left over."""
        if self._now.kind != "end":
            raise self._unexpected()

    def _unexpected(self, hint: str = "") -> ConditionError:
        token = self._now
        shown = "end of expression" if token.kind == "end" else f"token {token.kind} {token.value!r}"
        return self._error(f"unexpected {shown}{hint}", token)

    def _error(self, reason: str, token: Token) -> ConditionError:
        return ConditionError(reason, source=self._source, position=token.position)

    def _counted(self, node: nodes.Node) -> nodes.Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ConditionError(f"the condition is too large (at most {MOST_NODES} parts)")
        return node

    def _deeper(self, read: Callable[[], nodes.Node]) -> nodes.Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"the condition is nested too deeply (at most {DEEPEST} levels)", self._now)
        node = read()
        self._depth -= 1
        return node

    def _chained(self, grown: int) -> int:
        """A long chain `a + b + c + …` is a deep tree, to its left."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"the condition is nested too deeply (at most {DEEPEST} levels)", self._now)
        return grown + 1
