"""Render the Helm chart without a cluster, and read what a workload of it starts."""

from tools.chart.rendering import ChartFault, render
from tools.chart.workloads import NotRendered, WorkloadProcess, environment_of

__all__ = ["ChartFault", "NotRendered", "WorkloadProcess", "environment_of", "render"]
