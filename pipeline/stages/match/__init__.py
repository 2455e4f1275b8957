"""Matching: who is who across the cameras of a take, and at all times."""
