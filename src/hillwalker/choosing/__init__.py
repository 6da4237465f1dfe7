"""Choose by experiment: learning rates, batch sizes; records, no pictures."""
