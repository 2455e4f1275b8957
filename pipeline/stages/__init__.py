"""The stages: pure functions from hand-overs to a hand-over; none imports another."""
