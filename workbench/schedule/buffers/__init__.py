"""What primitives on buffers and layouts share: footprints, copies, redirected accesses."""
