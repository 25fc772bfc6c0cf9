"""Tests of a store that is far away: an object store in memory, and an S3 server of moto."""
