"""Take pictures in, move them through their states, find them again."""
