"""The dead-letter queues: listing messages that could not be handled, and sending them back."""
