"""Tables for print and screen: each one a TSV of numbers with a self-contained HTML page beside it."""
