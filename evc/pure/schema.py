"""Read a document by a pydantic schema and report every problem with file, line and key."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from evc.pure import yamltext
from evc.pure.errors import BadFile, Problem


class Strict(BaseModel):
    """Base of every schema: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=10_000)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, given: Any) -> Any:
        """A key whose lines are all commented out is as good as absent."""
        if not isinstance(given, dict):
            return given
        known = cls.model_fields
        return {key: one for key, one in given.items() if one is not None or key not in known}


Schema = TypeVar("Schema", bound=Strict)


def read(text: str, file: str, schema: type[Schema]) -> Schema:
    """`text` as a `schema` value; raises BadFile with all problems at once."""
    document = yamltext.parse(text, file)
    try:
        return schema.model_validate(document.value if document.value is not None else {})
    except ValidationError as error:
        problems = [
            _problem(document, schema, detail) for detail in error.errors()[: yamltext.MAX_PROBLEMS]
        ]
        raise BadFile(problems) from None


def _problem(document: yamltext.Document, schema: type[Strict], detail: Any) -> Problem:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    message, remedy = str(detail["msg"]).removeprefix("Value error, "), ""
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
        near = difflib.get_close_matches(str(path[-1]), _keys(schema, path[:-1]), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else ""
    key = ".".join(str(part) for part in path) or "-"
    return Problem(document.file, document.line(path), key, message, remedy)


def _keys(schema: type[Strict], path: tuple[Any, ...]) -> list[str]:
    """The keys that `schema` knows at `path`."""
    found: Any = schema
    for part in path:
        found = _below(found, part)
    models = [one for one in _alternatives(found) if _is_model(one)]
    return [key for model in models for key in model.model_fields]


def _below(annotation: Any, part: str | int) -> Any:
    """The type under `part` in a value of type `annotation`, or None."""
    for one in _alternatives(annotation):
        if _is_model(one):
            info = one.model_fields.get(str(part))
            return info.annotation if info else None
        if get_origin(one) in (dict, list):
            return get_args(one)[-1]
    return None


def _alternatives(annotation: Any) -> list[Any]:
    """The types that `X | None` and `Annotated[X, …]` stand for."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [one for inner in get_args(annotation) for one in _alternatives(inner)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
