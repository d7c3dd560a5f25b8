"""The page of a study's results: what stands on it, in sections, and where each of its numbers is from."""
