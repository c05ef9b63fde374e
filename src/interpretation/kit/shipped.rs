//! The kits that come with the program: data in `fixtures/assays`, each with its source.
//!
//! Those whose rules were read in the maker's instructions are clinical; what is known at second
//! hand only, or in part, is marked unproven, and is run where nobody is told a result. A
//! kit that comes with the program counts as approved: its text is part of the release that people
//! reviewed, and from the first release on it never changes under its version.

use std::sync::LazyLock;

use super::Kit;

const EMBEDDED: [&str; 19] = [
    include_str!("../../../fixtures/assays/cdc-2019-ncov-06.toml"),
    include_str!("../../../fixtures/assays/taqpath-rutgers-2020.toml"),
    include_str!("../../../fixtures/assays/taqpath-duplicates-2020.toml"),
    include_str!("../../../fixtures/assays/salivadirect-2020-10-below-40.toml"),
    include_str!("../../../fixtures/assays/salivadirect-2020-10-below-37.toml"),
    include_str!("../../../fixtures/assays/stanford-e-2020.toml"),
    include_str!("../../../fixtures/assays/biogerm-2020.toml"),
    include_str!("../../../fixtures/assays/sansure-2020.toml"),
    include_str!("../../../fixtures/assays/bgi-2020.toml"),
    include_str!("../../../fixtures/assays/da-an-2021.toml"),
    include_str!("../../../fixtures/assays/liferiver-2021.toml"),
    include_str!("../../../fixtures/assays/kinghawk-2021.toml"),
    include_str!("../../../fixtures/assays/ediagnosis-2021.toml"),
    include_str!("../../../fixtures/assays/maccura-2021.toml"),
    include_str!("../../../fixtures/assays/huirui-2020.toml"),
    include_str!("../../../fixtures/assays/orf1ab-n-ic-1.toml"),
    include_str!("../../../fixtures/assays/orf1ab-n-ic-2.toml"),
    include_str!("../../../fixtures/assays/orf1ab-n-ic-china-2020.toml"),
    include_str!("../../../fixtures/assays/codx-logix-smart-1.toml"),
];

/// The kits that come with the program.
///
/// # Panics
///
/// Never on a build whose tests passed: the embedded files are checked there.
pub fn kits() -> &'static [Kit] {
    static KITS: LazyLock<Vec<Kit>> = LazyLock::new(|| {
        let parse = |text| Kit::parse(text).expect("embedded kits are checked by a test");
        EMBEDDED.into_iter().map(parse).collect()
    });
    &KITS
}
