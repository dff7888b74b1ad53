"""LAS and DLIS files, by the field's own readers, each in a process of its own that may die of a file."""
