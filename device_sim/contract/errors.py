"""What can go wrong, as one tree of exceptions.

* WristleadError
  + ContractError    two rooms disagree: field, shape, format version (also ValueError)
  + DigestError      a file is not the file that was signed for (also ValueError)
  + StreamError      the source failed or lies about its rate (also OSError)
  + BudgetExceeded   too slow or too big; carries the measured and the allowed value

A message says where, what was expected, what came and, when it helps, what to do.
"""


def printable(words: str) -> str:
    """A name may hold anything, and a terminal obeys what it is sent."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


class WristleadError(Exception):
    """Anything wristlead refuses; the command prints its one line and exits with 2."""


class ContractError(WristleadError, ValueError):
    """Two rooms disagree about a field, a shape or a format."""


class DigestError(WristleadError, ValueError):
    """A file is not the file that was signed for."""


class StreamError(WristleadError, OSError):
    """The source failed, or lies about its rate."""


class BudgetExceeded(WristleadError):
    """Something is slower or bigger than the budget allows."""

    def __init__(self, what: str, *, measured: int, allowed: int, unit: str) -> None:
        super().__init__(f"{what}: {measured} {unit}, allowed {allowed} {unit}")
        self.measured = measured
        self.allowed = allowed
