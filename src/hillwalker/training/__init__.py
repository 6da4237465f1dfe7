"""Training: batches, the loop, its callbacks, what a person sees, and the record it leaves."""
