"""Between records and networks: batches, windows, checkpoints and model files."""
