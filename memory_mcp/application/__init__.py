"""What every request passes, whoever brings it: the caller's rights, limits, the response cache, errors."""
