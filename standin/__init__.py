"""A programmable stand-in for NVML: GPUs made of a script, with a truth that is known exactly."""
