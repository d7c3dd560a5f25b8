"""The planned comparison, scan by scan."""
