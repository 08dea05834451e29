"""What operators watch: traffic of plugins, processes, queues; made into health, metrics and alerts."""
