//! Audio conversion between AAC, Opus and G.711, and the built-in test picture.
