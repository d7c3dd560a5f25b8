"""From the sample sheet to the split: ingest, whose scan it is, who is included, cross-check."""
