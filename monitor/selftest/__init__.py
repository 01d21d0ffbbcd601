"""Checks that an operator can run on their own machine, and that do not take our word for anything."""
