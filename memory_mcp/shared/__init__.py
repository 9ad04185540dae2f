"""The shared tier: what the fronts of a store have in common beside it."""
