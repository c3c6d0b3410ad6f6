"""What is claimed about speed, measured against the plain tools in one run."""
