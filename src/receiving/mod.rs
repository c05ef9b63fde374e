//! What the laboratory found in a box.
