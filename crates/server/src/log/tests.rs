use super::*;
use std::sync::Arc;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }

    fn make(&self) -> LineWriter<impl Fn() -> Memory + use<>> {
        let memory = self.clone();
        LineWriter::new(move || memory.clone(), LogFormat::Json)
    }
}

const HOSTILE: [&str; 7] = [
    "a\r\nERROR forged: line",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{0}\u{7}\u{8}bell",
    "\u{2028}separator\u{202e}reversed",
    "\u{9b}31m",
    "quote\" and } brace",
    "ünïcode 漢字 🎥",
];

#[test]
fn hostile_text_stays_in_its_line() {
    for round in 0..1_500 {
        let text = HOSTILE.map(|part| part.chars().cycle().take(1 + round % 40).collect::<String>()).concat();
        for json in [false, true] {
            let memory = Memory::default();
            let builder = tracing_subscriber::fmt().with_writer(memory.make());
            let log = || {
                let span = tracing::info_span!("session", id = %text);
                span.in_scope(|| tracing::info!(user_agent = %text, debug = ?text, "{text}"));
            };
            match json {
                true => tracing::subscriber::with_default(builder.json().finish(), log),
                false => tracing::subscriber::with_default(builder.with_ansi(false).finish(), log),
            }
            let written = memory.text();
            assert_eq!(written.matches('\n').count(), 1, "{written:?}");
            assert!(written.ends_with('\n') && !written.trim_end_matches('\n').chars().any(char::is_control));
            if json {
                let line: serde_json::Value = serde_json::from_str(&written).unwrap();
                assert_eq!(line["fields"]["user_agent"].as_str(), Some(text.as_str()));
            }
        }
    }
}

#[test]
fn a_flood_is_cut_and_told() {
    let memory = Memory::default();
    let writer = memory.make();
    let now = Instant::now();
    let limit = limits::LOG_LINES_PER_SECOND.get();
    let admitted = (0..limit + 50).filter(|_| writer.admit(now).is_some()).count();
    assert_eq!(admitted as u64, limit);
    assert_eq!(writer.admit(now + std::time::Duration::from_secs(1)), Some(50));
    let mut line = Line { output: Some(memory.clone()), format: LogFormat::Json, dropped: 50 };
    line.write_all(b"next\n").unwrap();
    assert!(memory.text().contains("50 log lines were left out") && memory.text().ends_with("next\n"));
}
