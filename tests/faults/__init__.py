"""Everything that can go wrong is made to go wrong; docs/reliability.md lists the promises."""
