"""The C core and the designs of its tables."""
