"""Train one model: a driver common to all frameworks, and one adapter module per framework."""
