"""Where a search's files go, and the right to write them.

`folder.py` is a local folder, `objects.py` an object store (S3, GCS, Azure): the same verbs.

An object store is read through `copied.py`, a copy in this user's cache that is brought up to date;
`bucket.py` makes the requests, `lease.py` says who writes, `states.py` keeps the saved states of
running trials, and `place.py` turns what a person gave,
a folder or an address, into the folder to read.
"""
