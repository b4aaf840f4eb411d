"""Settled segments of the energy curve become intervals of runs, idle time and the rest; pure."""
