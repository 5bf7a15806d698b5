//! Embedded pages: the stream list and the player.
