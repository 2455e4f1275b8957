"""The runs: the only callers of the cache, in the order of their stages."""
