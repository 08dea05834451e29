"""The rules that plugins are checked by, without a host: authors run them, and the host when it starts."""
