"""Steering and watching runs from outside of their process."""
