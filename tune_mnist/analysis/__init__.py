"""Analysis: rankings, figures and pages, from nothing but the results store."""
