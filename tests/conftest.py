"""What every test session says about itself: what its Python leaves untested."""

import sys

import pytest

REFERENCE = (3, 11)
# The newest Python a package has a wheel for: past it, the tests that need the package are skipped.
LAST_WHEEL = {"tflite-runtime": (3, 11), "pyedflib": (3, 12)}


def pytest_report_header(config: pytest.Config) -> list[str]:
    """One line about the environment, so that a log says what it does not test."""
    return left_untested(sys.version_info[:2])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The same line at the end, where a quiet run shows it too."""
    for line in left_untested(sys.version_info[:2]):
        terminalreporter.write_line(line)


def left_untested(running: tuple[int, int]) -> list[str]:
    """Nothing on the reference Python; elsewhere which packages are missing from the tests."""
    if running == REFERENCE:
        return []
    names = ", ".join(name for name, last in LAST_WHEEL.items() if running > last)
    version, reference = (".".join(map(str, pair)) for pair in (running, REFERENCE))
    return [f"Python {version} is not the reference {reference}: no wheel, so no tests, of {names}"]
