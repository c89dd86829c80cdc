"""Designs the constant tables of the core and writes them as C headers: `python -m firmware.tables`."""
