"""Schedules many callers' texts into few forward passes: lanes, turns, packing, one forward thread."""
