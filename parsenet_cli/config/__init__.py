"""What a person writes: overrides, profiles, tables, the claims' language, the protocol; from it, `RunConfig` and `TableSpec`."""
