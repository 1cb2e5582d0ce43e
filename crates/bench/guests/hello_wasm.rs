//! Hello as a WebAssembly command: the event on standard input, the answer on standard output.

use std::io::Read;

fn main() {
    let mut event = String::new();
    std::io::stdin().read_to_string(&mut event).expect("the event");
    let name = event.split("\"name\":\"").nth(1).and_then(|rest| rest.split('"').next());
    print!("{{\"hello\":\"{}\"}}", name.unwrap_or("world"));
}
