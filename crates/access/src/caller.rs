//! Who somebody has turned out to be, and what they may do.

use headwater_media::StreamName;

use crate::{
    asking::Action,
    rules::{Pattern, Role},
};

/// Somebody whose credentials are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whom the log names: a user, a program, or the subject of a token.
    pub name: String,
    /// What they may do over REST, and with every stream.
    pub role: Option<Role>,
    pub(crate) publish: Vec<Pattern>,
    pub(crate) play: Vec<Pattern>,
}

impl Caller {
    pub(crate) fn with_role(name: &str, role: Role) -> Caller {
        Caller { name: name.to_owned(), role: Some(role), publish: Vec::new(), play: Vec::new() }
    }

    /// Whether they may do this with this stream.
    pub fn may(&self, action: Action, stream: &StreamName) -> bool {
        let patterns = match action {
            Action::Publish => &self.publish,
            Action::Play => &self.play,
        };
        self.role.is_some_and(|role| role.may(action)) || patterns.iter().any(|pattern| pattern.matches(stream))
    }

    /// Whether they may do over REST what takes at least this role.
    pub fn has(&self, least: Role) -> bool {
        self.role.is_some_and(|role| role.includes(least))
    }
}
