"""Search: plan the trials of a space, run them on Ray Tune, put each into the store."""

import os

# Ray prints to our standard output when a process of its dies, also with `log_to_driver` off. Its
# documented filter of such lines is read when Ray is imported, so it is set before that.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
