//! Events as Lambda gets them: which kind it is, and one file a kind. Pure: no I/O.
