"""What the verbs do: load, plan, act, record."""
