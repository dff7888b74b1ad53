"""What people would pick instead, in as few lines as it takes; programs that the benchmarks start."""
