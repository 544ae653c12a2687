"""Reads for pages and services: one module per noun."""
