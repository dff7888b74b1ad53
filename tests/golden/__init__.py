"""Answers of before, byte for byte."""
