//! Configuration: one flat space of property names.
