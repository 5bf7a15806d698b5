//! Calls of WCS that this server does not have yet, so that a client is told so and not that it has misspelt one.

/// The calls below `/rest-api/`, by their group.
pub(crate) const GROUPS: &[(&str, &[&str])] = &[
    (
        "stream",
        &["snapshot", "startRecording", "stopRecording", "inject/startup", "inject/find_all", "inject/terminate"],
    ),
    ("recorder", &["startup", "terminate", "find_all"]),
    ("multipleRecorder", &["startup", "add", "remove", "find_all", "terminate"]),
    (
        "call",
        &[
            "startup",
            "find_all",
            "find",
            "terminate",
            "send_dtmf",
            "inject_sound",
            "inject_stream/startup",
            "inject_stream/terminate",
        ],
    ),
    ("rtsp", &["startup", "find", "find_all", "terminate"]),
    (
        "mixer",
        &[
            "startup",
            "add",
            "remove",
            "find_all",
            "terminate",
            "setAudioVideo",
            "set_body_watermark",
            "set_stream_watermark",
            "set_stream_label",
            "set_parameter",
            "set_stream_avatar",
            "remove_stream_avatar",
        ],
    ),
    ("transcoder", &["startup", "find", "find_all", "terminate", "set_watermark"]),
    ("transcoder2", &["startup", "find", "find_all", "terminate"]),
    ("vod", &["startup", "find", "find_all", "terminate"]),
    ("mpegts", &["startup", "find", "find_all", "terminate"]),
    ("api", &["create-session", "find_all", "terminate", "call", "hangup"]),
    ("cdn", &["show_transcoding", "profile/print", "profile/add", "profile/remove"]),
    ("sfu", &["stats"]),
    ("debug", &["decoder/shrink_buffer_provider_pools"]),
];

/// Whether a path below `/rest-api/` is a call of WCS that is not here. Of a group without calls all are meant.
pub(crate) fn is_missing(path: &str) -> bool {
    let Some((group, call)) = path.split_once('/') else { return false };
    let found = GROUPS.iter().find(|(name, _)| *name == group);
    found.is_some_and(|(_, calls)| calls.is_empty() || calls.contains(&call))
}
