"""The paper's analysis."""
