"""Activations, drift, gradients, landscape, accuracy and condition of the competitors.

Measuring never changes training, bit for bit: every probe has buffers of its own and draws no random numbers.
"""
