"""Before a wave: drawing the sample, planning its size."""
