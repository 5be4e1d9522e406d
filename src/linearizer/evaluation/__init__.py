"""Measurements of trained models, their tables and pictures."""
