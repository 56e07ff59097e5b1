//! Rebuilds the crate when a migration is added: the embedding macro sees changed files, but not new folders.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
