"""Figures: one function a figure, from numbers to `plotly.graph_objects.Figure`."""
