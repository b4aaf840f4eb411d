"""An energy, money and carbon meter for fine-tuning."""

__version__ = "0.1.0"
