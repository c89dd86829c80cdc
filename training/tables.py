"""TOML tables into frozen dataclasses: every key known, every value of its field's type."""

import dataclasses
import difflib
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from device_sim.contract.errors import ContractError, StreamError

T = TypeVar("T")


def read_toml(path: Path) -> Mapping[str, Any]:
    def finite(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ContractError(f"{path}: expected finite numbers, got {text}")
        return float(text)

    try:
        with path.open("rb") as stream:
            return tomllib.load(stream, parse_float=finite)
    except FileNotFoundError as fault:
        raise StreamError(f"{path}: expected a TOML file, there is nothing") from fault
    except IsADirectoryError as fault:
        raise StreamError(f"{path}: expected a TOML file, got a folder") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ContractError(f"{path}: expected TOML, got {fault}") from fault


def build(kind: type[T], table: Mapping[str, Any], *, where: str) -> T:
    """One dataclass from one table; a key nobody reads is a mistake, not a remark."""
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(fields)}"
            raise ContractError(f"{where}: {key}: unknown key{hint}")
    for name, field in fields.items():
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and name not in table:
            raise ContractError(f"{where}: {name}: expected a value, it is missing")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ContractError as fault:
        raise ContractError(f"{where}: {fault}") from fault


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        _demand(isinstance(value, dict), where, "a table", value)
        return build(typing.cast(type, hint), value, where=where)
    if origin is tuple:
        _demand(isinstance(value, list) and len(value) > 0, where, "a list that is not empty", value)
        return tuple(_value(inner[0], item, where) for item in value)
    if origin is types.UnionType:
        return _value(next(kind for kind in inner if kind is not type(None)), value, where)
    if origin is typing.Literal:
        _demand(value in inner, where, f"one of {', '.join(map(str, inner))}", value)
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    exact = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    _demand(exact, where, hint.__name__, value)
    return value


def _demand(holds: bool, where: str, expected: str, got: Any) -> None:
    if not holds:
        raise ContractError(f"{where}: expected {expected}, got {got!r}")
