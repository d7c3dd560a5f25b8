"""A small study of training scans, to see what the full one will need."""
