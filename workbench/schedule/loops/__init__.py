"""What primitives on loops share: kinds, factors, ranges, guards."""
