"""The outside programs, one module each; process.py is the one door to subprocess."""
