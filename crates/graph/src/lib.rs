//! The stream graph: hub, stream, track, rendition, lane, cursor, bell and demand.
