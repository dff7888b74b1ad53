"""Measure imgpipe beside what people would pick instead; run one with ``python -m benchmarks.NAME``."""
