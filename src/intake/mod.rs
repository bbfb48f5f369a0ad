//! Finds what lies in inbound directories, waits until it is whole, and claims it by copy.
