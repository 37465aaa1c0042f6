"""From a raw object to a model, or to all that is wrong with it.

`parse` looks at the shape: types, required keys, unknown keys. `check` adds the rules that relate fields to one
another (`rollouts.api.validation`), and does so even when the shape has faults, by leaving the faulty keys out: a typo
in one place must not hide a wrong weight in another. Neither raises, whatever the input.

Messages are for people: pydantic's are translated by a table, an unknown key comes with the key that was meant.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from analysis.spec.base import Model
from rollouts.api.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from rollouts.api.errors import FieldError, Path, unique
from rollouts.api.experiment import Experiment
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import Kind
from rollouts.api.rollout import Rollout
from rollouts.api.validation import validate

MODELS: dict[str, type[Model]] = {
    "Rollout": Rollout,
    "AnalysisTemplate": AnalysisTemplate,
    "ClusterAnalysisTemplate": ClusterAnalysisTemplate,
    "AnalysisRun": AnalysisRun,
    "Experiment": Experiment,
    "GitSync": GitSync,
}

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The result of reading an object.

    `model`: the object, None when its shape has faults. `errors`: all that is wrong, empty for a good object.
    """

    model: Any = None
    errors: tuple[FieldError, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors


def parse(kind: Kind | str, raw: Any) -> Parsed:
    """Read `raw` (decoded JSON or YAML) as an object of `kind`: the model, or all faults of its shape.

    Never raises; an unknown kind is an error too.
    """
    model = _model_of(kind)
    if isinstance(model, FieldError):
        return Parsed(errors=(model,))
    found, faults = _read(model, raw)
    return Parsed(model=found, errors=_explained(model, faults))


def check(kind: Kind | str, raw: Any) -> Parsed:
    """Read `raw` and hold it against every rule: the model when its shape is good, and all errors.

    A model together with errors means: readable, but not valid.
    """
    model = _model_of(kind)
    if isinstance(model, FieldError):
        return Parsed(errors=(model,))
    found, faults = _read(model, raw)
    if found is not None:
        return Parsed(model=found, errors=validate(found))
    errors = _explained(model, faults)
    return Parsed(errors=unique((*errors, *_further(model, raw, faults))))


def left_over(model: type[Model], raw: Any) -> Any:
    """`raw` as the model, without its faulty keys; None when it can't be read even so."""
    found, faults = _read(model, raw)
    return found if found is not None else _read(model, _pruned(raw, faults))[0]


def _model_of(kind: Kind | str) -> type[Model] | FieldError:
    name = kind.kind if isinstance(kind, Kind) else kind
    return MODELS.get(name) or FieldError("kind", f'"{name}" is none of {", ".join(MODELS)}')


def _read(model: type[Model], raw: Any) -> tuple[Model | None, list[ErrorDetails]]:
    try:
        return model.model_validate(raw, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, error.errors(include_url=False, include_context=True)
    except RecursionError:
        return None, [_fault((), "too_deep")]


def _fault(location: Location, kind: str) -> ErrorDetails:
    return {"type": kind, "loc": location, "msg": "the object is nested too deeply", "input": None}


def _further(model: type[Model], raw: Any, faults: Sequence[ErrorDetails]) -> tuple[FieldError, ...]:
    """Errors of the rules in what is left of the object without its faulty keys."""
    places = _faulty(faults)
    found, remaining = _read(model, _pruned(raw, faults))
    if found is None or len(places) < len(faults) or remaining:
        return ()
    hidden = [str(Path(place)) for place in places]
    return tuple(error for error in validate(found) if not _touches(error.path, hidden))


def _faulty(faults: Sequence[ErrorDetails]) -> list[Location]:
    return [fault["loc"] for fault in faults if fault["type"] != "missing"]


def _pruned(raw: Any, faults: Sequence[ErrorDetails]) -> Any:
    for place in sorted(set(_faulty(faults)), key=_depth_last):
        raw = _without(raw, place)
    return raw


def _depth_last(place: Location) -> tuple[int, str]:
    return len(place), repr(place)


def _without(value: Any, place: Location) -> Any:
    """A copy of `value` without the key at `place`; list items are emptied, so that later indexes stay right."""
    if not place:
        return None
    key, rest = place[0], place[1:]
    if isinstance(value, Mapping) and key in value:
        kept = {name: item for name, item in value.items() if name != key}
        return {**kept, key: _without(value[key], rest)} if rest else kept
    if isinstance(value, list) and isinstance(key, int) and key < len(value) and rest:
        return [*value[:key], _without(value[key], rest), *value[key + 1 :]]
    return value


def _touches(path: str, hidden: Sequence[str]) -> bool:
    """Whether a rule's error speaks of a key that was left out, or of something that holds or lies in it."""
    return any(_holds(place, path) or _holds(path, place) for place in hidden)


def _holds(outer: str, inner: str) -> bool:
    """`spec.steps` holds `spec.steps[0].pause` and itself, but not `spec.stepsAfter`."""
    return inner.startswith(outer) and inner[len(outer) :][:1] in ("", ".", "[")


def _explained(model: type[Model], faults: Sequence[ErrorDetails]) -> tuple[FieldError, ...]:
    return unique(FieldError(_shown(fault["loc"]), _message(model, fault)) for fault in faults)


def _shown(location: Location) -> str:
    return str(Path(tuple(part for part in location if part != "[key]")))


def _message(model: type[Model], fault: ErrorDetails) -> str:
    teller = _MESSAGES.get("invalid_key" if fault["loc"][-1:] == ("[key]",) else fault["type"])
    return teller(model, fault) if teller else fault["msg"].removeprefix("Value error, ")


def _unknown(model: type[Model], fault: ErrorDetails) -> str:
    key = str(fault["loc"][-1])
    meant = difflib.get_close_matches(key, _keys_at(model, fault["loc"][:-1]), n=1, cutoff=0.7)
    return f'unknown field "{key}"' + (f', did you mean "{meant[0]}"?' if meant else ", remove it")


def _keys_at(model: type[BaseModel], place: Location) -> list[str]:
    found: Any = model
    for part in place:
        found = _step(found, part)
    return [str(field.alias) for field in found.model_fields.values()] if _is_model(found) else []


def _step(annotation: Any, part: int | str) -> Any:
    """The type below `annotation`: of a model's field, or of a list's or mapping's items."""
    if _is_model(annotation):
        fields = annotation.model_fields.values()
        return next((_inner(field.annotation) for field in fields if field.alias == part), None)
    return _inner(typing.get_args(annotation)[-1]) if typing.get_args(annotation) else None


def _inner(annotation: Any) -> Any:
    """`annotation` without `| None` and `Annotated`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _inner(typing.get_args(annotation)[0])
    choices = [choice for choice in typing.get_args(annotation) if choice is not type(None)]
    optional = type(None) in typing.get_args(annotation)
    return _inner(choices[0]) if optional and len(choices) == 1 else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _wanted(what: str) -> Callable[[type[Model], ErrorDetails], str]:
    return lambda model, fault: f"must be {what}, not {_described(fault['input'])}"


_NAMES: dict[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "the text", type(None): "null"}


def _described(value: Any) -> str:
    """A value as part of a sentence, shortened: `the text "abc"`, `a list`."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    shown = f'"{value[:60]}"' if isinstance(value, str) else str(value)[:60].lower()
    return f"{_NAMES.get(type(value), type(value).__name__)} {shown}" if value is not None else "null"


def _choices(model: type[Model], fault: ErrorDetails) -> str:
    expected = fault.get("ctx", {}).get("expected", "").replace("'", "")
    return f"must be one of {expected}, not {_described(fault['input'])}"


_MESSAGES: dict[str, Callable[[type[Model], ErrorDetails], str]] = {
    "missing": lambda model, fault: "is required",
    "extra_forbidden": _unknown,
    "literal_error": _choices,
    "string_type": _wanted("a string (quote it)"),
    "int_type": _wanted("a whole number"),
    "int_from_float": _wanted("a whole number"),
    "greater_than_equal": _wanted("a whole number that fits 32 bits"),
    "less_than_equal": _wanted("a whole number that fits 32 bits"),
    "int_or_string": _wanted("a whole number or a string"),
    "bool_type": _wanted("true or false"),
    "list_type": _wanted("a list"),
    "dict_type": _wanted("an object"),
    "mapping_type": _wanted("an object"),
    "model_type": _wanted("an object"),
    "model_attributes_type": _wanted("an object"),
    "invalid_key": lambda model, fault: "keys must be strings (quote them)",
}

__all__ = ["MODELS", "FieldError", "Parsed", "check", "parse"]
