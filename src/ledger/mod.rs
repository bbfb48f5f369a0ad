//! The durable account of files and chunks, from which every outbound file can be made again.
