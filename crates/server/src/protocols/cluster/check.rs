//! What can be said of the keys of a node before it starts.

use headwater_cluster::{NodeId, Role, Settings};

use super::Clustered;
use crate::config::Complaint;

impl Clustered {
    /// What is wrong with the keys of a node, and what to write instead.
    pub(super) fn check(&self) -> Vec<Complaint> {
        let complaint = |(key, message)| Complaint { section: "cluster", key, message, remedy: remedy(key).into() };
        self.faults().into_iter().map(complaint).collect()
    }

    /// All that is wrong, each with its key.
    fn faults(&self) -> Vec<(&'static str, String)> {
        // What is not said here is known once the server starts, and is right.
        let said = |text: &str, or: &str| if text.is_empty() { or.to_owned() } else { text.to_owned() };
        let mut faults = Vec::new();
        let node = NodeId::new(&said(&self.0.node, "node")).or_else(|error| {
            faults.push(("node", format!("cannot be {:?}: {error}", self.0.node)));
            NodeId::new("node")
        });
        let settings = node.ok().map(|node| self.settings_of(node, said(&self.0.media, "ws://node:1"), Role::Origin));
        for (key, error) in settings.iter().flat_map(Settings::faults) {
            let message = match key {
                "secret" => "is missing or too short".to_owned(),
                "url" if self.0.url.is_empty() => "is missing".to_owned(),
                _ => format!("cannot be used: {error}"),
            };
            faults.push((key, message));
        }
        faults.extend(self.fault_of_mutual_tls().map(|message| ("mutual_tls", message.to_owned())));
        faults
    }

    fn fault_of_mutual_tls(&self) -> Option<&'static str> {
        match (self.0.mutual_tls, self.0.tls, &self.0.authorities) {
            (false, ..) | (true, true, Some(_)) => None,
            (true, false, _) => Some("needs TLS, and tls is false"),
            (true, true, None) => Some("needs authorities"),
        }
    }
}

/// What to do about a key that is wrong.
fn remedy(key: &str) -> &'static str {
    match key {
        "secret" => "Write at least 16 random letters beside it, the same on all servers.",
        "node" => "Write a name such as node = \"edge-1\", or leave it out for the name of the machine.",
        "url" => "Write beside it where the other servers reach this one, such as url = \"wss://edge1.example:8084\".",
        "media" => {
            "Write where the others fetch streams, such as media = \"wss://edge1.example:8443\", or leave it out."
        }
        "entry" => "Write what servers that are there have as `url`, such as entry = [\"wss://origin1.example:8084\"].",
        "groups" => "Write names such as groups = [\"EU\"], or leave it out.",
        "mutual_tls" => {
            "Write beside it tls = true and authorities = \"cluster-ca.pem\", the file with the certificate that those of \
             all servers come from, or leave it out."
        }
        _ => "Write addresses and networks such as allow = [\"10.0.0.0/8\"], or leave it out.",
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const GOOD: &str = r#"
        [cluster]
        enabled = true
        url = "wss://edge1.example:8084"
        entry = ["wss://origin1.example:8084", "ws://127.0.0.1:8084"]
        media = "wss://edge1.example:8443"
        node = "edge-1"
        groups = ["EU"]
        allow = ["10.0.0.0/8", "192.0.2.1"]
        secret = "sixteen letters and more"
    "#;

    fn problems(text: &str) -> String {
        Config::parse(text, "edge.toml").err().map(|error| error.to_string()).unwrap_or_default()
    }

    /// One line is another; an empty one is left out.
    fn with(key: &str, line: &str) -> String {
        let is_of_key = |found: &&str| found.trim_start().starts_with(&format!("{key} ="));
        let old = GOOD.lines().find(is_of_key).unwrap();
        problems(&GOOD.replace(old, line))
    }

    #[test]
    fn what_others_need_to_reach_this_server_is_checked_before_it_starts() {
        assert_eq!(problems(GOOD), "");
        for key in ["entry", "media", "node", "groups", "allow"] {
            assert_eq!(with(key, ""), "", "{key}");
        }
        let cases = [
            ("url", "", "is missing", "wss://edge1.example:8084"),
            ("url", "url = \"edge1.example\"", "\"edge1.example\"", "wss://edge1.example:8084"),
            ("url", "url = \"https://edge1.example\"", "ws://host:port", "wss://edge1.example:8084"),
            ("url", "url = \"ws://edge1.example:8084\"", "without TLS", "wss://edge1.example:8084"),
            ("media", "media = \"edge1.example:8443\"", "edge1.example:8443", "wss://edge1.example:8443"),
            ("entry", "entry = [\"origin1\"]", "\"origin1\"", "wss://origin1.example:8084"),
            ("node", "node = \"edge 1\"", "\"edge 1\"", "node = \"edge-1\""),
            ("groups", "groups = [\"the EU\"]", "\"the EU\"", "groups = [\"EU\"]"),
            ("allow", "allow = [\"10.0.0.0/33\"]", "10.0.0.0/33", "10.0.0.0/8"),
            ("secret", "secret = \"short\"", "too short", "16 random letters"),
        ];
        let mutual = [("mutual_tls = true", "needs authorities"), ("mutual_tls = true\ntls = false", "tls is false")];
        for (lines, what) in mutual {
            let said = problems(&format!("{GOOD}\n{lines}\n"));
            let words = ["mutual_tls in [cluster]", what, "authorities = \"cluster-ca.pem\""];
            assert!(words.iter().all(|words| said.contains(*words)), "{lines}: {said}");
        }
        assert_eq!(problems(&format!("{GOOD}\nmutual_tls = true\nauthorities = \"cluster-ca.pem\"\n")), "");
        for (key, line, what, example) in cases {
            let said = with(key, line);
            let words = [&format!("{key} in [cluster]"), what, example];
            assert!(words.iter().all(|words| said.contains(*words)), "{line}: {said}");
            assert!(line.is_empty() || said.contains("edge.toml"), "{line}: {said}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_nothing_where_there_is_no_cluster() {
        let text = "[cluster]\nenabled = true\nurl = \"x\"\nnode = \"a b\"\nallow = [\"y\"]\n";
        let said = problems(text);
        for key in ["url", "node", "allow", "secret"] {
            assert!(said.contains(&format!("{key} in [cluster]")), "{key}: {said}");
        }
        assert_eq!(problems(&text.replace("enabled = true", "enabled = false")), "");
    }
}
