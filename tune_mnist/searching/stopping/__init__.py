"""What stops a trial early and what ends a search, decided without Ray."""
