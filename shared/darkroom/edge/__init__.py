"""Where requests and queue messages come in: the only place that imports Powertools."""
