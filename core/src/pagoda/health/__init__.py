"""Whether this process can do its work: checks of database, migrations, broker and plugin registry."""
