"""The study's statistics, as published: summaries, rank tests, agreement, comparison of cohorts."""
