//! A command: JSON in, JSON out; does as the event says.

use std::io::{Read as _, Write as _};

fn main() {
    let mut event = String::new();
    std::io::stdin().read_to_string(&mut event).unwrap();
    eprintln!("event of {} bytes", event.len());
    if event.contains("\"fail\"") {
        eprintln!("failing as asked");
        std::process::exit(3);
    }
    if event.contains("\"flood\"") {
        let piece = vec![b'f'; 1 << 16];
        loop {
            if std::io::stdout().write_all(&piece).is_err() {
                std::process::exit(0);
            }
        }
    }
    if event.contains("\"long\"") {
        print!("\"{}\"", "l".repeat(1 << 20));
        return;
    }
    let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
    print!("{{\"greeting\":\"{greeting}\",\"event\":{event}}}");
}
