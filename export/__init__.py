"""Writes a checkpoint once as integers, and those integers as TFLite, ONNX and C."""
