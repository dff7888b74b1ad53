"""Deliver what stands in the outbox; who writes it are the pictures and the depth logs themselves."""
