"""Networks of MONAI, and those written for it."""
