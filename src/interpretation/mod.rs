//! Kits and readings give calls; controls give the verdict.
