"""One skeleton from all views together."""
