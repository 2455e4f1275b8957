"""Finding how cameras' clocks relate: signals, matches of pairs of cameras, and clocks that explain the matches."""
