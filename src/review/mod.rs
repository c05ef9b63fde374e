//! Two people between a call and a person.
