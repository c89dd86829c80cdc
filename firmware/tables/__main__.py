"""`python -m firmware.tables` writes the headers; with --check it only compares them."""

import sys
from pathlib import Path

from firmware.tables.emit import headers

SOURCE = Path(__file__).resolve().parent.parent / "src"


def main(argv: list[str]) -> int:
    if argv not in ([], ["--check"]):
        print("usage: python -m firmware.tables [--check]", file=sys.stderr)
        return 2
    stale = 0
    for name, text in headers().items():
        path = SOURCE / name
        if argv and (not path.is_file() or path.read_text(encoding="ascii") != text):
            print(
                f"firmware/src/{name}: differs from its design; run `python -m firmware.tables`",
                file=sys.stderr,
            )
            stale += 1
        elif not argv:
            path.write_text(text, encoding="ascii")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
