"""Images for emulated microcontrollers: built with a pinned compiler, run and counted exactly."""
