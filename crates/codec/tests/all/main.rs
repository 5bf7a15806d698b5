//! Headers and records of real encoders, and of hostile ones.

mod audio;
mod fixtures;
mod h264;
mod h265;
mod hostile;
mod nal;
mod vp_and_av1;
