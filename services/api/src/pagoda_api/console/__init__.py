"""The console: pages in which people find and change what is stored, watch jobs, and see how plugins are."""
