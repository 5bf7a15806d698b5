//! WHEP and WHIP as a client sees them over HTTP.

mod attack;
mod matrix;
mod scene;
mod session;
mod wcs;
mod whip;
