"""Keep files under keys; where, the configuration decides."""
