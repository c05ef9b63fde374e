#![no_main]

use libfuzzer_sys::fuzz_target;
use swabline::interpretation::Kit;

// A kit as TOML; one that is let in can be planned with and is written and read again.
fuzz_target!(|text: &str| {
    match Kit::parse(text) {
        Err(faults) => assert!(!faults.is_empty(), "refused without a reason"),
        Ok(kit) => {
            assert!(!kit.plan().reactions.is_empty(), "a kit without a reaction was let in");
            let json = serde_json::to_string(&kit).expect("a kit can be written");
            assert_eq!(serde_json::from_str::<Kit>(&json).ok(), Some(kit), "{json}");
        }
    }
});
