//! The application behind the server: asked by HTTP before somebody publishes or plays, and told what came of it.
//!
//! ```text
//!  Gates::connect ──► connect                        200 lets in, all else refuses
//!  Visit::admit   ──► publishStream, playStream      the same; the answer may give another name
//!  Visit::ask     ──► OnDataEvent
//!  each interval  ──► StreamKeepAliveEvent           403 ends the stream
//!  Admission::tell, drop ──► queue ──► StreamStatusEvent, unPublishStream, stopStream, ConnectionStatusEvent
//! ```
//!
//! Hooks, their names and their fields are those of WCS 5.2. What differs: where the application cannot be asked the
//! answer is no, unless it was told otherwise, and redirects are not followed.
//!
//! Each application has its own connections, its own queue and its own share of what may be under way, so that one
//! that is slow or gone delays nobody but its own clients.

mod application;
mod client;
mod error;
mod events;
mod figures;
mod gate;
mod guest;
mod keep_alive;
mod method;
mod observer;
mod payload;
mod policy;
mod room;
mod session;
mod settings;
mod signature;

pub use application::{DEFAULT, DEFAULT_RTMP};
pub use error::HookError;
pub use figures::{Figures, Outcome};
pub use gate::{Hooks, Successor};
pub use method::Method;
pub use observer::{Observation, Observer};
pub use policy::{Mode, OnError, Policy};
pub use settings::{Settings, SettingsError, read_application};
pub use signature::{OLDEST, SIGNATURE, Signer};
