//! What a person or a service may ask.
