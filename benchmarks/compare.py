"""Two recorded results beside each other: every number that differs, and what else does."""

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.sheet import number, sheet
from device_sim.contract.errors import ContractError
from device_sim.contract.fields import parse

Leaf = int | float | str | bool | None


def read_last(path: Path) -> dict[str, Leaf]:
    """The last line of a .jsonl, or a .json, as leaves by their path."""
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: expected recorded results: {error}") from None
    if not lines:
        raise ContractError(f"{path}: expected recorded results, got an empty file")
    whole = lines[-1] if path.suffix == ".jsonl" else "\n".join(lines)
    parse(whole.encode(), str(path))  # the same complaints as everywhere
    return dict(_leaves(json.loads(whole), ""))


def _leaves(value: object, at: str) -> Iterator[tuple[str, Leaf]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(one, f"{at}/{name}" if at else str(name))
    elif isinstance(value, list):
        for k, one in enumerate(value):
            label = next((str(one[key]) for key in ("name", "drive", "rate_hz") if _has(one, key)), str(k))
            yield from _leaves(one, f"{at}/{label}")
    else:
        yield at, value  # type: ignore[misc]


def _has(one: object, key: str) -> bool:
    return isinstance(one, dict) and key in one


def text(a: Path, b: Path) -> str:
    """Only what differs."""
    first, second = read_last(a), read_last(b)
    rows, words = [], []
    for name in dict.fromkeys((*first, *second)):
        x, y = first.get(name), second.get(name)
        if x == y:
            continue
        if _is_number(x) and _is_number(y):
            change = f"{100 * (y / x - 1):+.2f} %" if x else ""  # type: ignore[operator]
            rows.append((name, number(x), number(y), change))  # type: ignore[arg-type]
        else:
            words.append(f"  {name}: {x} | {y}")
    if not rows and not words:
        return "nothing differs"
    parts = [sheet(f"{a.name} | {b.name}", ("", "first", "second", ""), rows)] if rows else []
    return "\n".join([*parts, *words])


def _is_number(value: Leaf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
