"""Everything that can go wrong, made to go wrong: docs/reliability.md lists what is promised."""
