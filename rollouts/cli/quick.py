"""Parameters that need no conversion, and so no library to convert them.

typer turns every value into its type through pydantic, whose import takes longer than the rest of the command line
together; almost all of our values are strings, which are what they are. `quicken` lets those pass, and leaves typer's
way to what needs it (`-o json`, `--to-revision 3`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args


class Coercion:
    """Stands in for typer's conversion of one parameter; asks the real one only when a value must be changed."""

    def __init__(self, *, real: Callable[[], Any], annotation: Any) -> None:
        self.real = real
        self.annotation = annotation
        self.of_strings = str in (get_args(annotation) or (annotation,))

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value in the parameter's type; None and `()` stay."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if several and self.of_strings:
            return list(value)
        fits = isinstance(self.annotation, type) and isinstance(value, self.annotation)
        return value if fits and not several else self.real().coerce(value, param=param, ctx=ctx)


def quicken(params: list[Any]) -> list[Any]:
    """The same parameters, which from now on pass values that are right already. What isn't typer's is left alone."""
    for param in params:
        real, descriptor = getattr(param, "get_runtime_param", None), getattr(param, "type_descriptor", None)
        if real is None or descriptor is None or "get_runtime_param" in vars(param):
            continue
        coercion = Coercion(real=real, annotation=descriptor.annotation)
        param.get_runtime_param = lambda found=coercion: found
    return params
