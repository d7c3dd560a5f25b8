"""BLAST-CT: its network, data and patches."""
