// Compiles the precompiled header, which every other target reuses.
