"""Execute the work that the database queues; by whom, the configuration decides."""
