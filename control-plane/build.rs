//! The migrations and the web console are embedded in the binary: a changed one has to rebuild it.
fn main() {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed=ui/dist");
}
