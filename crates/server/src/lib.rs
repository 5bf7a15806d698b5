//! Composition: configuration, the one list of protocols, start and stop.
