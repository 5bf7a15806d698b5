//! WHEP and WHIP as a client sees them over HTTP.

mod access;
mod attack;
mod matrix;
mod scene;
mod session;
mod wcs;
mod whip;
