"""Messages that nothing could take in: look at them, and send them back."""
