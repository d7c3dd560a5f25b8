"""Training without a framework: loop, batches, checkpoints, randomness, stopping, faults, progress."""
