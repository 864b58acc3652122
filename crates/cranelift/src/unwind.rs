//! Unwind tables: how Rust's panics pass through compiled frames.
//!
//! All compiled code keeps frame pointers and unwinding starts only at calls, so one rule holds
//! at every place where an unwinder looks: the caller's frame is at rbp + 16, its return address
//! and frame pointer just below. Callee-saved registers are not described: no compiled frame has
//! a landing pad, and the entry trampoline restores them all for the Rust frame above it.

use gimli::write::{Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec};
use gimli::write::{FrameDescriptionEntry, FrameTable};
use gimli::{Encoding, Format, LittleEndian, Register};

/// A registered range of code; deregistered when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    /// The section as the unwinder wants it: it keeps the address.
    section: Box<[u8]>,
}

#[cfg(target_arch = "x86_64")]
const REGISTERS: (Register, Register) = (gimli::X86_64::RBP, gimli::X86_64::RA);
#[cfg(target_arch = "aarch64")]
const REGISTERS: (Register, Register) = (gimli::AArch64::X29, gimli::AArch64::X30);

unsafe extern "C" {
    fn __register_frame(section: *const u8);
    fn __deregister_frame(section: *const u8);
}

impl Registration {
    /// Registers the one rule for `len` bytes of code at `address`.
    pub(crate) fn new(address: usize, len: usize) -> Registration {
        let section = section(address as u64, len as u32).into_boxed_slice();
        // SAFETY: a well-formed `.eh_frame` section with its terminating zero, at an address that
        // stays until `drop` takes it back.
        unsafe { __register_frame(section.as_ptr()) };
        Registration { section }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered in `new`, not deregistered since.
        unsafe { __deregister_frame(self.section.as_ptr()) };
    }
}

fn section(address: u64, len: u32) -> Vec<u8> {
    let (frame_pointer, return_address) = REGISTERS;
    let encoding = Encoding {
        address_size: 8,
        format: Format::Dwarf32,
        version: 1,
    };
    let mut cie = CommonInformationEntry::new(encoding, 1, -8, return_address);
    cie.add_instruction(CallFrameInstruction::Cfa(frame_pointer, 16));
    cie.add_instruction(CallFrameInstruction::Offset(return_address, -8));
    cie.add_instruction(CallFrameInstruction::Offset(frame_pointer, -16));
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    table.add_fde(
        cie,
        FrameDescriptionEntry::new(Address::Constant(address), len),
    );
    let mut section = EhFrame(EndianVec::new(LittleEndian));
    table
        .write_eh_frame(&mut section)
        .expect("absolute addresses of eight bytes");
    let mut bytes = section.0.into_vec();
    bytes.extend([0; 4]);
    bytes
}
