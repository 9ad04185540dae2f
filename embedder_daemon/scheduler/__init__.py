"""From many callers' texts to few forward passes: lanes, turns, packing, one forward thread."""
