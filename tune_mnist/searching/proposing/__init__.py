"""Proposing: samplers, what they propose, and what trials share a training."""
