"""What is known of people: angles, metrics, sides, smoothing."""
