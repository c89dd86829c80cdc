"""Tables for a terminal: the first column to the left, numbers to the right."""

from collections.abc import Sequence


def sheet(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Title, head and rows; a column is as wide as its widest cell."""
    cells = [list(head), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]
    return "\n".join([title, *(f"  {line.rstrip()}" for line in lines)])


def number(value: float) -> str:
    """Thousands apart; what is no count keeps one digit behind the point."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
