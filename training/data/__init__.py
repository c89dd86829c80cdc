"""Recordings as their publishers pack them, read into one typed record."""
