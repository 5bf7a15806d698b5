//! The hooks by their names.

use headwater_access::Action;

macro_rules! methods {
    ($($(#[$meta:meta])* $ident:ident = $name:literal,)*) => {
        /// A hook: what an application is asked or told, and the last part of the address that it is sent to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $($(#[$meta])* $ident,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Method] = &[$(Method::$ident),*];

            /// Its name, which is that of WCS.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Method::$ident => $name,)*
                }
            }
        }
    };
}

methods! {
    /// A client has come; decides.
    Connect = "connect",
    /// It wants to publish; decides.
    PublishStream = "publishStream",
    /// It wants to play; decides.
    PlayStream = "playStream",
    /// It wants to play by HLS; decides.
    PlayHls = "playHLS",
    /// It wants to play by RTSP; decides.
    PlayRtsp = "playRTSP",
    /// It sends data to the application; decides.
    OnDataEvent = "OnDataEvent",
    /// A stream goes on; decides whether it may.
    StreamKeepAliveEvent = "StreamKeepAliveEvent",
    /// A publication is over.
    UnPublishStream = "unPublishStream",
    /// Somebody's playing is over.
    StopStream = "stopStream",
    /// A publication or somebody's playing has come to something.
    StreamStatusEvent = "StreamStatusEvent",
    /// A client has been let in, or has gone.
    ConnectionStatusEvent = "ConnectionStatusEvent",
}

impl Method {
    /// The hook of this name.
    pub fn find(name: &str) -> Option<Method> {
        Method::ALL.iter().copied().find(|method| method.name() == name)
    }

    /// The hook that decides about this by this protocol.
    pub fn at_begin(action: Action, protocol: &str) -> Method {
        match (action, protocol) {
            (Action::Publish, _) => Method::PublishStream,
            (Action::Play, "HLS") => Method::PlayHls,
            (Action::Play, "RTSP") => Method::PlayRtsp,
            (Action::Play, _) => Method::PlayStream,
        }
    }

    /// The hook that tells the end of it.
    pub fn at_end(action: Action) -> Method {
        match action {
            Action::Publish => Method::UnPublishStream,
            Action::Play => Method::StopStream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_of_each_protocol_has_its_hook() {
        for (action, protocol, begin, end) in [
            (Action::Publish, "RTMP", "publishStream", "unPublishStream"),
            (Action::Publish, "WebRTC", "publishStream", "unPublishStream"),
            (Action::Play, "HTTP-FLV", "playStream", "stopStream"),
            (Action::Play, "HLS", "playHLS", "stopStream"),
            (Action::Play, "RTSP", "playRTSP", "stopStream"),
        ] {
            let names = (Method::at_begin(action, protocol).name(), Method::at_end(action).name());
            assert_eq!(names, (begin, end), "{action:?} by {protocol}");
        }
    }

    #[test]
    fn hooks_are_found_by_their_names() {
        for method in Method::ALL {
            assert_eq!(Method::find(method.name()), Some(*method));
        }
        assert_eq!(Method::find("publishstream"), None);
    }
}
