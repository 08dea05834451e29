"""Alerts: rules on what is watched, evaluated by the dispatcher; one notice for each transition."""
