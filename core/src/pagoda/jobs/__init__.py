"""Jobs: the rows that are the truth, and Celery, which carries their messages."""
