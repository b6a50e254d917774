"""Smoke cases: what is sent to a model, and what is expected back."""
