# Consumes: results/metrics/, prediction manifests. Produces: results/figures/ (PDF, and a TSV of the
# numbers drawn beside each).
