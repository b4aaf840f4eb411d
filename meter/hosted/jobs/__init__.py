"""Fine-tuning jobs of hosted providers: one file each, pure; ``registry`` names them all."""
