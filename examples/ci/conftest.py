"""The fixture `wristlead_budget` for the tests in this folder."""

pytest_plugins = ["benchmarks.pytest_plugin"]
