"""Default schedules for CPUs: register tiles, lanes, followers, and what they cost."""
