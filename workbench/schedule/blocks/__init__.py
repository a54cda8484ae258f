"""What primitives that move, inline and factor blocks share."""
