//! The AppStack operator.
