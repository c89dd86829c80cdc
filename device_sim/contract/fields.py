"""Reads JSON that anybody may have written: every field has a type, a range, and a name in the error."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from device_sim.contract.errors import ContractError

MAX_TEXT = 4096
MAX_LIST = 65536
T = TypeVar("T")


def parse(raw: bytes, where: str) -> "Fields":
    """The object at the top; no duplicate names, no NaN, no depth or digits without end."""
    try:
        read = json.loads(
            raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: expected JSON: {str(error)[:200]}") from None
    return Fields(read, where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name is there twice among {names[:8]}")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number here")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large")
    return value


class Fields:
    """One JSON object, read field by field; what is left over at the end is refused."""

    def __init__(self, read: object, where: str) -> None:
        if not isinstance(read, dict):
            raise ContractError(f"{where}: expected an object, got {_shown(read)}")
        self._left = dict(read)
        self.where = where

    def take(self, name: str) -> Any:
        """A field as it is; its reader checks it."""
        if name not in self._left:
            raise ContractError(f"{self.where}: {name}: expected the field, found none")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        return name in self._left

    def integer(self, name: str, low: int, high: int) -> int:
        return as_integer(self.take(name), f"{self.where}: {name}", low, high)

    def truth(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise ContractError(f"{self.where}: {name}: expected true or false, got {_shown(value)}")
        return value

    def text(self, name: str) -> str:
        return as_text(self.take(name), f"{self.where}: {name}")

    def number(self, name: str) -> float:
        return as_number(self.take(name), f"{self.where}: {name}")

    def items(self, name: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        """A list, each of its items through one reader."""
        where = f"{self.where}: {name}"
        items = as_list(self.take(name), where)
        return tuple(read(item, f"{where}[{k}]") for k, item in enumerate(items))

    def object(self, name: str) -> "Fields":
        return Fields(self.take(name), f"{self.where}: {name}")

    def names(self) -> Iterator[str]:
        """What has not been read yet."""
        yield from tuple(self._left)

    def done(self) -> None:
        if self._left:
            raise ContractError(f"{self.where}: {_shown(next(iter(self._left)))}: no field of this format")


def as_integer(value: object, where: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ContractError(f"{where}: expected a whole number {low}..{high}, got {_shown(value)}")
    return value


def as_number(value: object, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or abs(value) > 1e300 or not math.isfinite(value):  # type: ignore[arg-type]
        raise ContractError(f"{where}: expected a number, got {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def as_text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ContractError(f"{where}: expected a text, got {_shown(value)}")
    return value


def as_list(value: object, where: str) -> list[object]:
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise ContractError(f"{where}: expected a list, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """The beginning of what came; a hostile file does not fill the terminal."""
    return (
        repr(value)[:60] if not isinstance(value, dict | list) else f"{type(value).__name__} of {len(value)}"
    )
