"""The OCI world without an engine: the store on disk, the walk over layers, the registry protocol."""
