//! Registers a file's chunks: reader, parallel workers, committer in file order.
