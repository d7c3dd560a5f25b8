"""The page of results: what is on it, and the files of the cases that it opens."""
