"""Speed, memory and quality, beside other programs in the same run: python -m benchmarks."""
