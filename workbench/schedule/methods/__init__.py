"""Methods of `Schedule`, by family."""
