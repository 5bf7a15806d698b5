//! Signalling over HTTP: WHEP and its rules.
