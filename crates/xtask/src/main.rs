//! Chores of the workspace: `cargo xtask <verb>`. CI calls the same verbs.

mod codegen;

use clap::Parser;

#[derive(Parser)]
enum Verb {
    /// Write crates/aws-model/src/generated from the pinned API models.
    Codegen(codegen::Args),
}

fn main() -> anyhow::Result<()> {
    match Verb::parse() {
        Verb::Codegen(args) => codegen::run(&args),
    }
}
