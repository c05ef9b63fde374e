//! Writes the corpus that fuzzing starts from.

use std::fs;
use std::path::Path;

use swabline_fuzz::seeds::seeds;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for seed in seeds(&root.join("../fixtures")) {
        let folder = root.join("corpus").join(seed.target);
        fs::create_dir_all(&folder).expect("the corpus can be written");
        fs::write(folder.join(seed.name), seed.bytes).expect("the corpus can be written");
    }
}
