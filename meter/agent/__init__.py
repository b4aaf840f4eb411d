"""The agent: joins sampler, curve, ledger and HTTP; one per node."""
