"""``make bench-scale``: whether a request costs the same with 10,000,000 leads as with 10,000."""
