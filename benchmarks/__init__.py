"""Counts what a bundle costs on a board, and holds it against a budget."""
