//! Cuts plaintext into records with positions, and proves a file's structure and control records.
