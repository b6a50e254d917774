"""The zoo's inhabitants, by architecture; their builders run in a process that has TensorFlow."""
