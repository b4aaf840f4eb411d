"""Sources of readings, and the process that takes them."""
