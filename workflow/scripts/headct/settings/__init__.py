"""What a study says: configuration, sample sheet, analysis plan, published numbers."""
