"""What names, attributes and values may be: the rules of the host, which the host in memory keeps as well."""
