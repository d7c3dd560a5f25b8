"""What both analyses stand on: scores, resampling, summaries, agreement, rank tests."""
