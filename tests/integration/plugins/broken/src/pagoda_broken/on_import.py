"""A plugin whose module raises."""

raise RuntimeError("the trial's broken plugin breaks here")
