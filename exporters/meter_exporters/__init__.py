"""Views of the meter's figures, one a file; they read documents, lines or a snapshot only."""
