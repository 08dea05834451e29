"""Render the Helm chart and read what a workload of it gets."""

from tools.chart.rendering import ChartFault, render

__all__ = ["ChartFault", "render"]
