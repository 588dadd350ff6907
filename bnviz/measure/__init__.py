"""What is measured of the competitors; measuring never changes training: buffers of its own, no random numbers."""
