"""Keep depth logs, and read ranges of them."""
