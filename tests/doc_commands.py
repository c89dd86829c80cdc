"""The commands that the documentation shows, and the lines it says they print.

In a fenced block a line that begins with `$ ` is a command, up to ` #`; what follows is what it prints, `...`
stands for any lines. A block marked `console` is run by the suite, with these words beside it:

    exit=1          the last command ends with this code
    needs=NAME      a program, or `data` for WRISTLEAD_DATA: without it the block is skipped
    install         makes an environment: run by `python -m tests.new_user` alone, which has a fresh one
    minutes         takes too long for the suite: likewise
    elsewhere       needs what no test has: a board on a port, somebody's account

Every other command is read by the parser of its own command.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "models/README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:wristlead|make|python -m) [^`]+)`")
NOT_RUN = {"install", "minutes", "elsewhere"}
ANYTHING = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command and what the page says it prints."""

    command: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block with commands in it."""

    where: str
    words: frozenset[str]
    shown: tuple[Shown, ...]

    @property
    def is_run(self) -> bool:
        return "console" in self.words and not self.words & NOT_RUN

    @property
    def exit_code(self) -> int:
        return int(next((word[5:] for word in self.words if word.startswith("exit=")), "0"))

    @property
    def needs(self) -> list[str]:
        return sorted(word[6:] for word in self.words if word.startswith("needs="))


def blocks_of(document: Path) -> list[Block]:
    """Every block that shows a command, in order."""
    text = document.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        shown = tuple(_shown(match[2]))
        if shown:
            line = text.count("\n", 0, match.start()) + 1
            where = f"{document.relative_to(ROOT)}:{line}"
            found.append(Block(where=where, words=frozenset(match[1].split()), shown=shown))
    return found


def _shown(body: str) -> Iterator[Shown]:
    joined = re.sub(r" *\\\n *", " ", body)
    for part in re.split(r"^(?=\$ )", joined, flags=re.MULTILINE):
        if part.startswith("$ "):
            first, *rest = part.splitlines()
            yield Shown(command=re.sub(r"\s+# .*", "", first[2:]).strip(), lines=tuple(rest))


def inline_commands(document: Path) -> list[str]:
    """Commands named in the prose and in tables."""
    return [match[1] for match in INLINE.finditer(FENCE.sub("", document.read_text(encoding="utf-8")))]


def words_of(command: str) -> list[str]:
    """Up to a pipe or a redirection; variables in front are dropped."""
    words = shlex.split(re.split(r" (?:\||>|2>|<|&&|&)", command.rstrip("& "))[0])
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def missing_lines(shown: tuple[str, ...], printed: str) -> list[str]:
    """Lines of the page that were not printed, in the page's order; between `...` nothing may be left out."""
    have, missing, at, is_open = [line.rstrip() for line in printed.splitlines()], [], 0, False
    for line in (line.rstrip() for line in shown if line.strip()):
        if line == ANYTHING:
            is_open = True
            continue
        found = next((k for k in range(at, len(have)) if have[k] == line), None)
        if found is None or (not is_open and any(have[k] for k in range(at, found))):
            missing.append(line)
        if found is not None:
            at = found + 1
        is_open = False
    return missing
