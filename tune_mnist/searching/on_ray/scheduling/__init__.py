"""Scheduling: who stops a trial early, or lets it take over another one."""
