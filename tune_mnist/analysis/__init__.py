"""Analysis: rankings and other numbers, from the results store alone."""
