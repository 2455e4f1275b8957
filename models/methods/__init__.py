"""The training methods, a paper a file; a method's helpers carry its name."""
