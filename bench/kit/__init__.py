"""The driver of the measurements; `bench/run` starts it. README.md says what is measured."""
