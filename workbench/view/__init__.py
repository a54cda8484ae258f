"""The view: sessions and modules as plain data, and as static pictures."""
