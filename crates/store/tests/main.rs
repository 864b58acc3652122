//! Tests of the store as others see it: layers, faults, processes, committed formats.

mod suite {
    pub(crate) mod fixture;

    mod archive;
    mod disk;
    mod environment;
    mod faults;
    mod format;
    mod layers;
    mod local;
    mod processes;
}
