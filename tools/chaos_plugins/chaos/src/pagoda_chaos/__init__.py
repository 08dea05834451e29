"""Tasks that are killed, kill themselves, hang, eat memory, and count what they did."""
