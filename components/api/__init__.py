"""The REST API of components, configurations, jobs and Storage."""
