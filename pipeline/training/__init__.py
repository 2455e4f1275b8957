"""From hand-overs to networks: batches, windows, checkpoints and model files."""
