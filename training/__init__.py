"""Trains small networks on the columns the device computes."""
