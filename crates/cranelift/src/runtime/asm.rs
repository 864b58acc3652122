//! The few instructions that neither Rust nor Cranelift can say: changing stacks, and telling the
//! run-time system which compiled frame called it.
//!
//! Every trampoline keeps its frame pointer on the stack that it came from and describes itself
//! by it, so that unwinding crosses stacks. The aarch64 versions are untested.

use super::VmCtx;

macro_rules! shims {
    ($($shim:literal => $target:path),* $(,)?) => {
        $(
            // Notes return address and frame pointer of the compiled caller in the context (first
            // argument), then goes on as if that caller had called the Rust function.
            #[cfg(target_arch = "x86_64")]
            std::arch::global_asm!(
                ".p2align 4",
                concat!(".hidden ", $shim),
                concat!(".globl ", $shim),
                concat!(".type ", $shim, ",@function"),
                concat!($shim, ":"),
                "mov rax, [rsp]",
                "mov [rdi + {pc}], rax",
                "mov [rdi + {fp}], rbp",
                "jmp {target}",
                concat!(".size ", $shim, ", . - ", $shim),
                pc = const VmCtx::PC,
                fp = const VmCtx::FP,
                target = sym $target,
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::global_asm!(
                ".p2align 2",
                concat!(".hidden ", $shim),
                concat!(".globl ", $shim),
                concat!($shim, ":"),
                "str x30, [x0, {pc}]",
                "str x29, [x0, {fp}]",
                "b {target}",
                pc = const VmCtx::PC,
                fp = const VmCtx::FP,
                target = sym $target,
            );
        )*
    };
}
pub(super) use shims;

#[expect(improper_ctypes, reason = "the context is passed through, not read")]
unsafe extern "C-unwind" {
    /// Calls `function(context, a, b, c)` on the compiled stack, or with 0 for a function goes on
    /// with what [`suspend`] left there. Comes back when the call returns or is suspended.
    ///
    /// A call must be resumed from the same place of the host's stack where it was begun: its
    /// frames are unwound through that place.
    #[link_name = "worldage_cranelift_enter"]
    pub(super) fn enter(context: *mut VmCtx, function: usize, a: usize, b: usize, c: usize);

    /// Calls the context's `entry` on the compiled stack with the argument registers as they are;
    /// the result registers come back as they are. Its type is that of the instance.
    #[link_name = "worldage_cranelift_call"]
    pub(super) fn call();

    /// Leaves the running call as it is and makes its entry return; comes back when resumed.
    #[link_name = "worldage_cranelift_suspend"]
    pub(super) fn suspend(context: *mut VmCtx);

    /// Calls `function(data)` on the host stack from which compiled code was entered.
    #[link_name = "worldage_cranelift_leave"]
    pub(super) fn leave(
        context: *mut VmCtx,
        function: unsafe extern "C-unwind" fn(*mut u8),
        data: *mut u8,
    );
}

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".p2align 4",
    ".hidden worldage_cranelift_enter",
    ".globl worldage_cranelift_enter",
    ".type worldage_cranelift_enter,@function",
    "worldage_cranelift_enter:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    ".cfi_offset rbx, -24",
    ".cfi_offset r12, -32",
    ".cfi_offset r13, -40",
    ".cfi_offset r14, -48",
    ".cfi_offset r15, -56",
    "sub rsp, 8",
    "mov [rdi + {host_sp}], rsp",
    "mov rsp, [rdi + {compiled_sp}]",
    "test rsi, rsi",
    "jz 2f",
    "push rdi",
    "sub rsp, 8",
    "mov rax, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov rcx, r8",
    "call rax",
    "add rsp, 8",
    "pop rdi",
    // Back on the host stack, in the frame of the entry that runs now: not of the one that began
    // the call, if the call was suspended in between.
    "3:",
    "mov rsp, [rdi + {host_sp}]",
    "lea rbp, [rsp + 48]",
    "lea rsp, [rbp - 40]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    ".cfi_remember_state",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_restore_state",
    // Going on with what `suspend` left.
    "2:",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".hidden worldage_cranelift_suspend",
    ".globl worldage_cranelift_suspend",
    "worldage_cranelift_suspend:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rdi + {compiled_sp}], rsp",
    "jmp 3b",
    ".cfi_endproc",
    ".size worldage_cranelift_enter, . - worldage_cranelift_enter",
    ".p2align 4",
    ".hidden worldage_cranelift_leave",
    ".globl worldage_cranelift_leave",
    ".type worldage_cranelift_leave,@function",
    "worldage_cranelift_leave:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov [rdi + {compiled_sp}], rsp",
    "mov rsp, [rdi + {host_sp}]",
    "mov rdi, rdx",
    "call rsi",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size worldage_cranelift_leave, . - worldage_cranelift_leave",
    ".p2align 4",
    ".hidden worldage_cranelift_call",
    ".globl worldage_cranelift_call",
    ".type worldage_cranelift_call,@function",
    "worldage_cranelift_call:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    ".cfi_offset rbx, -24",
    ".cfi_offset r12, -32",
    ".cfi_offset r13, -40",
    ".cfi_offset r14, -48",
    ".cfi_offset r15, -56",
    "mov [rdi + {host_sp}], rsp",
    "mov rsp, [rdi + {compiled_sp}]",
    "call qword ptr [rdi + {entry}]",
    // Instances that return keep what the host's convention keeps. The registers were saved for
    // those that are unwound: their frames do not say where they saved any.
    "mov rdi, [rbp - 48]",
    "mov qword ptr [rdi + {host_sp}], 0",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size worldage_cranelift_call, . - worldage_cranelift_call",
    entry = const VmCtx::ENTRY,
    host_sp = const VmCtx::HOST_SP,
    compiled_sp = const VmCtx::COMPILED_SP,
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".p2align 2",
    ".hidden worldage_cranelift_enter",
    ".globl worldage_cranelift_enter",
    "worldage_cranelift_enter:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-160]!",
    ".cfi_def_cfa_offset 160",
    "mov x29, sp",
    ".cfi_def_cfa x29, 160",
    ".cfi_offset x29, -160",
    ".cfi_offset x30, -152",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    ".cfi_offset x19, -144",
    ".cfi_offset x20, -136",
    ".cfi_offset x21, -128",
    ".cfi_offset x22, -120",
    ".cfi_offset x23, -112",
    ".cfi_offset x24, -104",
    ".cfi_offset x25, -96",
    ".cfi_offset x26, -88",
    ".cfi_offset x27, -80",
    ".cfi_offset x28, -72",
    "mov x9, sp",
    "str x9, [x0, {host_sp}]",
    "ldr x9, [x0, {compiled_sp}]",
    "mov sp, x9",
    "cbz x1, 2f",
    "str x0, [sp, #-16]!",
    "mov x9, x1",
    "mov x1, x2",
    "mov x2, x3",
    "mov x3, x4",
    "blr x9",
    "ldr x0, [sp], #16",
    "3:",
    "ldr x9, [x0, {host_sp}]",
    "mov sp, x9",
    "mov x29, x9",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #160",
    "ret",
    "2:",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #160",
    "ret",
    ".hidden worldage_cranelift_suspend",
    ".globl worldage_cranelift_suspend",
    "worldage_cranelift_suspend:",
    "stp x29, x30, [sp, #-160]!",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "mov x9, sp",
    "str x9, [x0, {compiled_sp}]",
    "b 3b",
    ".cfi_endproc",
    ".p2align 2",
    ".hidden worldage_cranelift_leave",
    ".globl worldage_cranelift_leave",
    "worldage_cranelift_leave:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_def_cfa_offset 16",
    "mov x29, sp",
    ".cfi_def_cfa x29, 16",
    ".cfi_offset x29, -16",
    ".cfi_offset x30, -8",
    "mov x9, sp",
    "str x9, [x0, {compiled_sp}]",
    "ldr x9, [x0, {host_sp}]",
    "mov sp, x9",
    "mov x0, x2",
    "blr x1",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".cfi_endproc",
    ".p2align 2",
    ".hidden worldage_cranelift_call",
    ".globl worldage_cranelift_call",
    "worldage_cranelift_call:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-176]!",
    ".cfi_def_cfa_offset 176",
    "mov x29, sp",
    ".cfi_def_cfa x29, 176",
    ".cfi_offset x29, -176",
    ".cfi_offset x30, -168",
    "stp x19, x20, [sp, #16]",
    "stp x21, x22, [sp, #32]",
    "stp x23, x24, [sp, #48]",
    "stp x25, x26, [sp, #64]",
    "stp x27, x28, [sp, #80]",
    "stp d8, d9, [sp, #96]",
    "stp d10, d11, [sp, #112]",
    "stp d12, d13, [sp, #128]",
    "stp d14, d15, [sp, #144]",
    "str x0, [sp, #160]",
    ".cfi_offset x19, -160",
    ".cfi_offset x20, -152",
    ".cfi_offset x21, -144",
    ".cfi_offset x22, -136",
    ".cfi_offset x23, -128",
    ".cfi_offset x24, -120",
    ".cfi_offset x25, -112",
    ".cfi_offset x26, -104",
    ".cfi_offset x27, -96",
    ".cfi_offset x28, -88",
    "mov x9, sp",
    "str x9, [x0, {host_sp}]",
    "ldr x9, [x0, {compiled_sp}]",
    "mov sp, x9",
    "ldr x9, [x0, {entry}]",
    "blr x9",
    "mov sp, x29",
    "ldr x9, [sp, #160]",
    "str xzr, [x9, {host_sp}]",
    "ldp x19, x20, [sp, #16]",
    "ldp x21, x22, [sp, #32]",
    "ldp x23, x24, [sp, #48]",
    "ldp x25, x26, [sp, #64]",
    "ldp x27, x28, [sp, #80]",
    "ldp d8, d9, [sp, #96]",
    "ldp d10, d11, [sp, #112]",
    "ldp d12, d13, [sp, #128]",
    "ldp d14, d15, [sp, #144]",
    "ldp x29, x30, [sp], #176",
    "ret",
    ".cfi_endproc",
    entry = const VmCtx::ENTRY,
    host_sp = const VmCtx::HOST_SP,
    compiled_sp = const VmCtx::COMPILED_SP,
);

/// The registers that a callee must keep, so that the collector sees pointers in them, and the
/// address of the lowest word of the current frame.
#[inline(always)]
pub(crate) fn saved_registers(words: &mut [usize; 12]) {
    let at = words.as_mut_ptr();
    // SAFETY: stores into the twelve words only.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(
            "mov [{at}], rbx", "mov [{at} + 8], rbp", "mov [{at} + 16], r12",
            "mov [{at} + 24], r13", "mov [{at} + 32], r14", "mov [{at} + 40], r15",
            at = in(reg) at, options(nostack, preserves_flags),
        );
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(
            "stp x19, x20, [{at}]", "stp x21, x22, [{at}, #16]", "stp x23, x24, [{at}, #32]",
            "stp x25, x26, [{at}, #48]", "stp x27, x28, [{at}, #64]",
            at = in(reg) at, options(nostack, preserves_flags),
        );
    }
}

#[cfg(not(feature = "portable"))]
/// Makes freshly written code visible to instruction fetch.
pub(crate) fn code_written(address: usize, len: usize) {
    #[cfg(target_arch = "aarch64")]
    {
        unsafe extern "C" {
            fn __clear_cache(start: *const u8, end: *const u8);
        }
        // SAFETY: a range of mapped code.
        unsafe { __clear_cache(address as *const u8, (address + len) as *const u8) };
    }
    // x86-64 keeps instruction and data caches coherent, also through two mappings of a page.
    let _ = (address, len);
}
