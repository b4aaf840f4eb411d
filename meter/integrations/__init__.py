"""Hooks of training libraries and of codecarbon that tell meter what they know; see the docs.

Each module imports its library, and only when it is imported itself. They are thin clients: none
knows the ledger or the agent, and none raises into the training.
"""
