"""The Lambda functions, one folder each."""

import gc

# Imports make some hundred thousand objects, which all stay. With Python's own threshold of 700 the collector would
# look through them again and again, for a tenth of the time of a cold start, and find nothing.
gc.set_threshold(100_000, 20, 50)
