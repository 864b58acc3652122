//! Launches: buffers to the device, arguments, the kernel, and back.

use crate::device::Device;
use crate::error::Error;
use opencl3::error_codes::{
    CL_INVALID_GLOBAL_WORK_SIZE, CL_INVALID_WORK_GROUP_SIZE, CL_INVALID_WORK_ITEM_SIZE, ClError,
};
use opencl3::event::Event;
use opencl3::kernel::Kernel as ClKernel;
use opencl3::memory::{Buffer, CL_MEM_COPY_HOST_PTR, CL_MEM_READ_WRITE, ClMem};
use opencl3::types::{CL_NON_BLOCKING, cl_uint};
use std::ptr;
use std::time::{Duration, Instant};
use worldage_wir::device::ERROR_WORDS;
use worldage_wir::device::memory::{Arg, Args};
use worldage_wir::prim::{Scalar, ScalarValue};
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

/// The index space of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Work-items in each dimension.
    pub global: [u32; 3],
    /// Work-items of a group in each dimension; divides `global`.
    pub local: [u32; 3],
}

/// What a kernel expects beside its arguments.
pub(crate) enum Form<'a> {
    /// The length after each array, and the error words at the end.
    Wir(&'a mut ErrorWords),
    /// Nothing.
    Foreign,
}

/// The words that tell which work-item failed first: zero before a launch. Their buffer is kept for
/// the next launch as long as it is.
pub(crate) struct ErrorWords {
    buffer: Option<Buffer<u8>>,
    /// What they were after the last launch.
    pub(crate) words: [u8; ERROR_WORDS * 4],
}

impl ErrorWords {
    pub(crate) fn new() -> ErrorWords {
        ErrorWords {
            buffer: None,
            words: [0; ERROR_WORDS * 4],
        }
    }

    /// The buffer, taken until it is known to be zero again.
    fn take(&mut self, device: &Device) -> Result<Buffer<u8>, Error> {
        match self.buffer.take() {
            Some(zero) => Ok(zero),
            None => buffer(device, &[0; ERROR_WORDS * 4]),
        }
    }

    /// The buffer after a launch whose words were read: kept if it is zero.
    fn tell(&mut self, buffer: Buffer<u8>) {
        self.buffer = Some(buffer).filter(|_| self.words.iter().all(|byte| *byte == 0));
    }
}

/// The most work-items of a grid: beyond what a device ends in a day.
const MAX_WORK_ITEMS: u128 = 1 << 40;

/// Whether a device can run such a grid.
pub(crate) fn check(device: &Device, grid: Grid) -> Result<(), Error> {
    for d in 0..3 {
        let (global, local) = (grid.global[d], grid.local[d]);
        if local == 0 || global == 0 || !global.is_multiple_of(local) {
            return Err(Error::Arguments(format!(
                "the local size {local} does not divide the global size {global} of dimension {d}"
            )));
        }
    }
    // In 128 bits three sizes of 32 cannot overflow.
    let all: u128 = grid.global.iter().map(|size| u128::from(*size)).product();
    if all > MAX_WORK_ITEMS {
        return Err(Error::Arguments(format!(
            "a grid of {all} work-items is larger than {MAX_WORK_ITEMS}"
        )));
    }
    let items: u128 = grid.local.iter().map(|size| u128::from(*size)).product();
    let most = device.abilities().group_size;
    if items > most as u128 {
        let what = format!("a group of {items} work-items is larger than its {most}");
        return Err(device.unsuited(what));
    }
    Ok(())
}

/// Passes the arguments, launches, and waits once, for the results; the values afterwards, and how
/// long the kernel took.
///
/// # Safety
/// The parameters of the kernel must be those of the arguments in this form, and it must stay
/// within the buffers.
pub(crate) unsafe fn run(
    device: &Device,
    kernel: &ClKernel,
    (u, values, args): (&Universe, &[Value], &Args),
    grid: Grid,
    form: Form<'_>,
) -> Result<(Vec<Value>, Duration), Error> {
    let buffers = args.upload(|bytes| buffer(device, bytes))?;
    let passed = Passed {
        kernel,
        next: 0.into(),
    };
    for arg in &args.args {
        match arg {
            Arg::Scalar(x) => passed.scalar(*x)?,
            Arg::Array(ix, length) => {
                passed.pass(&buffers[*ix].get())?;
                if matches!(form, Form::Wir(_)) {
                    passed.pass(length)?;
                }
            }
        }
    }
    let mut told = None;
    if let Form::Wir(errors) = form {
        let buffer = errors.take(device)?;
        passed.pass(&buffer.get())?;
        told = Some((errors, buffer));
    }
    let global = grid.global.map(|size| size as usize);
    let local = grid.local.map(|size| size as usize);
    let begun = Instant::now();
    // SAFETY: all parameters have been passed, the sizes are three each, and the driver keeps the
    // buffers until the kernel has ended; the rest is the caller's promise.
    let event = unsafe {
        device.queue.enqueue_nd_range_kernel(
            kernel.get(),
            3,
            ptr::null(),
            global.as_ptr(),
            local.as_ptr(),
            &[],
        )
    };
    let event = event.map_err(|error| refused(device, kernel, grid, error))?;
    let read = |buffer: &Buffer<u8>, bytes: &mut [u8]| {
        // SAFETY: `download` keeps the bytes, and touches them no more, until the wait below is
        // over, whatever happens.
        unsafe { begin_read(device, buffer, bytes) }
    };
    let after = args.download(u, values, &buffers, read, || {
        let mut begun = Ok(());
        if let Some((errors, buffer)) = &mut told {
            // SAFETY: the words live until the wait below is over.
            begun = unsafe { begin_read(device, buffer, &mut errors.words) };
        }
        let waited = device.queue.finish();
        begun.and(waited.map_err(Error::driver("clFinish")))
    })?;
    let took = match kernel_time(&event) {
        Some(took) => took,
        None => {
            // It has failed, or the device has no clock.
            event.wait().map_err(Error::driver("clWaitForEvents"))?;
            begun.elapsed()
        }
    };
    if let Some((errors, buffer)) = told {
        errors.tell(buffer);
    }
    Ok((after, took))
}

/// Why a launch did not begin: sizes that the kernel does not take are the caller's.
fn refused(device: &Device, kernel: &ClKernel, grid: Grid, error: ClError) -> Error {
    let is_size = [
        CL_INVALID_WORK_GROUP_SIZE,
        CL_INVALID_WORK_ITEM_SIZE,
        CL_INVALID_GLOBAL_WORK_SIZE,
    ];
    if !is_size.contains(&error.0) {
        return Error::driver("clEnqueueNDRangeKernel")(error);
    }
    let mut message = format!(
        "the kernel does not take groups of {:?} work-items in a grid of {:?} ({error})",
        grid.local, grid.global
    );
    let asked = kernel.get_compile_work_group_size(device.context.default_device());
    if let Some(asked) = asked
        .ok()
        .filter(|sizes| sizes.iter().all(|size| *size > 0))
    {
        message += &format!(": its groups are of {asked:?}");
    }
    Error::Arguments(message)
}

/// How long a kernel ran, by the device's clock.
fn kernel_time(event: &Event) -> Option<Duration> {
    let start = event.profiling_command_start().ok()?;
    let end = event.profiling_command_end().ok()?;
    end.checked_sub(start).map(Duration::from_nanos)
}

struct Passed<'k> {
    kernel: &'k ClKernel,
    next: std::cell::Cell<cl_uint>,
}

impl Passed<'_> {
    fn pass<T>(&self, arg: &T) -> Result<(), Error> {
        let index = self.next.get();
        self.next.set(index + 1);
        // SAFETY: the driver copies as many bytes as `T` has, and refuses another size than the
        // parameter's.
        let set = unsafe { self.kernel.set_arg(index, arg) };
        set.map_err(Error::driver("clSetKernelArg"))
    }

    /// As many bytes as the parameter's type has; a Bool is one byte.
    fn scalar(&self, x: ScalarValue) -> Result<(), Error> {
        let bits = x.to_bits();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits are the value"
        )]
        match x.scalar() {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => self.pass(&(bits as u8)),
            Scalar::I16 | Scalar::U16 => self.pass(&(bits as u16)),
            Scalar::I32 | Scalar::U32 | Scalar::F32 => self.pass(&(bits as u32)),
            Scalar::I64 | Scalar::U64 | Scalar::F64 => self.pass(&bits),
        }
    }
}

/// A buffer with these contents: they are read before this returns.
fn buffer(device: &Device, bytes: &[u8]) -> Result<Buffer<u8>, Error> {
    let (mut flags, mut host) = (CL_MEM_READ_WRITE, ptr::null_mut());
    if !bytes.is_empty() {
        flags |= CL_MEM_COPY_HOST_PTR;
        host = bytes.as_ptr().cast_mut().cast();
    }
    // No buffer is empty.
    let size = bytes.len().max(1);
    // SAFETY: where host memory is passed there are as many bytes; the driver copies them, and
    // writes nothing there.
    let buffer = unsafe { Buffer::create(&device.context, flags, size, host) };
    buffer.map_err(Error::driver("clCreateBuffer"))
}

/// Begins to copy a buffer's contents.
///
/// # Safety
/// The bytes are left alone until the queue is done.
unsafe fn begin_read(device: &Device, buffer: &Buffer<u8>, bytes: &mut [u8]) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    let queue = &device.queue;
    // SAFETY: the buffer has as many bytes; the rest is the caller's promise.
    let event = unsafe { queue.enqueue_read_buffer(buffer, CL_NON_BLOCKING, 0, bytes, &[]) };
    event
        .map(drop)
        .map_err(Error::driver("clEnqueueReadBuffer"))
}
