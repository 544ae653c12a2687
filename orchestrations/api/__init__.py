"""The REST API of orchestrations, their schedules and runs."""
