"""Tables for print and screen: each a TSV of numbers, with a self-contained HTML page and LaTeX beside it."""
