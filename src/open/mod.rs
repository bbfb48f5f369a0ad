//! Opens envelopes in flat memory; nothing of a file is used before its integrity is proven.
