"""What is on disk: the run folder, checkpoints, policies, the log of metrics."""
