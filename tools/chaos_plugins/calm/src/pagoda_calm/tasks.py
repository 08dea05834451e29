"""The task of the calm plugin."""

from pagoda_plugin_sdk.tasks import JobContext, plugin_task


@plugin_task(0)
def beat(_job: JobContext) -> None:
    """Do nothing."""
