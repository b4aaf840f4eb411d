"""Bills of providers as charges: one file a source; pure."""
