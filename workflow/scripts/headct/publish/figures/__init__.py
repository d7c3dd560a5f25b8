"""Figures for print: each one a PDF with a sibling TSV of exactly the numbers that it draws."""
