//! Payload formats, both ways, on the wire and under attack.

mod entry;
mod equal_size;
mod extend;
mod fixtures;
mod formats;
mod header;
mod hostile;
mod order;
mod reorder;
mod round_trip;
