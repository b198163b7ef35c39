//! Wiring of the Basalt server: boot, configuration, cores.
