//! Codes on tubes, boxes and plates: what they mean and how they are printed.
