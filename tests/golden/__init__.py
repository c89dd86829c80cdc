"""Witnesses: float64 definitions, integer twins, and the vectors they made."""
