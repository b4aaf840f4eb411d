"""Starts jobs under the meter; light, and never in a job's way."""
