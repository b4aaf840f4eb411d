"""Hosted fine-tuning: what providers tell of usage, jobs and bills, as values of our own; pure.

Only ``sync`` and what it calls reach the network. Nothing here knows the ledger.
"""
