//! Embedding matrices, their file formats, and nearest neighbours.
