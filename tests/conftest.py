"""What every test session says about itself: where the reference Python is not the one that runs."""

import sys

import pytest

REFERENCE = (3, 11)
# Packages of the reference environment that have no wheel for a newer Python: their tests are skipped there.
REFERENCE_ONLY = ("tflite-runtime",)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """One line about the environment, so that a log says what it did not test."""
    running = sys.version_info[:2]
    if running == REFERENCE:
        return []
    return [not_the_reference(running)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The same line at the end, where a quiet run shows it too."""
    running = sys.version_info[:2]
    if running != REFERENCE:
        terminalreporter.write_line(not_the_reference(running))


def not_the_reference(running: tuple[int, int]) -> str:
    """Which Python this is, and what is therefore not tested."""
    names = ", ".join(REFERENCE_ONLY)
    return (
        f"Python {running[0]}.{running[1]} is not the reference {REFERENCE[0]}.{REFERENCE[1]}; "
        f"skipped because of it: tests of {names}"
    )
