//! WHEP as a client sees it over HTTP.

mod matrix;
mod scene;
mod session;
