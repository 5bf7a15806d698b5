//! The real server with real encoders, players and browsers. `cargo xtask test --only e2e` brings what it needs.

mod authorisation;
mod access;
mod bad_network;
mod browser_playback;
mod enhanced_rtmp;
mod gstreamer;
mod hooks;
mod hostile_peers;
mod leaving;
mod long_play;
mod observing;
mod operation;
mod pages;
mod pairs;
mod relay;
mod renditions;
mod renditions_page;
mod rest;
mod returning;
mod rtmp_players;
mod sdk;
mod wcs;
mod wcs_publishing;
mod whep_requests;
mod whip;
mod whip_network;
