"""Predict label maps: a driver common to all frameworks, and one adapter module per framework."""
