//! Trainers that stream shards through bounded channels and share nothing.
