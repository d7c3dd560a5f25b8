"""Fixed thresholds of HU: what each network must surpass."""
