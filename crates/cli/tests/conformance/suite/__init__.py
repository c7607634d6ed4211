"""The official Python SDK, unmodified, against `harness local`: every public method, synchronous and asynchronous."""
