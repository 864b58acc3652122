//! Launches of kernels in PTX on CUDA devices: values to words and buffers, and back.
//!
//! A kernel is given, for each array, its address and its length, and after its arguments the
//! address of the error words, which it leaves zero unless a work-item fails.
#![expect(
    unsafe_code,
    reason = "a launch relies on the parameters of the kernel, which this crate has made"
)]

use super::Code;
use worldage_cuda::{Arg as Word, Buffer, Error, Grid, Kernel};
use worldage_wir::device::memory::{Arg, Args, Launched};
use worldage_wir::device::{ERROR_WORDS, Fault};
use worldage_wir::universe::Universe;
use worldage_wir::value::Value;

impl Code {
    /// Runs the kernel, which was loaded from this code, on every work-item. A work-item that
    /// fails stops; the others go on.
    ///
    /// # Errors
    /// If the arguments or sizes are wrong, or the driver refuses.
    pub fn launch(
        &self,
        kernel: &Kernel,
        u: &Universe,
        values: &[Value],
        grid: Grid,
    ) -> Result<Launched, Error> {
        let args = Args::new(values, &self.leaves, &self.written);
        let args = args.map_err(|error| Error::Arguments(error.to_string()))?;
        let device = kernel.device();
        let buffers = args.upload(|bytes| Buffer::new(device, bytes))?;
        let errors = Buffer::new(device, &[0; ERROR_WORDS * 4])?;
        let mut scalars: Vec<[u8; 8]> = Vec::new();
        for arg in &args.args {
            scalars.push(match arg {
                Arg::Scalar(x) => x.to_bits().to_le_bytes(),
                Arg::Array(_, length) => length.to_le_bytes(),
            });
        }
        let mut words = Vec::with_capacity(2 * scalars.len() + 1);
        for (arg, bytes) in args.args.iter().zip(&scalars) {
            if let Arg::Array(ix, _) = arg {
                words.push(Word::Buffer(&buffers[*ix]));
            }
            words.push(Word::Bytes(bytes));
        }
        words.push(Word::Buffer(&errors));
        // SAFETY: the text of the kernel is ours: its parameters are, in order, those of the leaves
        // that the arguments were checked against, and it checks its indices.
        let took = unsafe { kernel.launch(grid, &words) }?;
        let fault = Fault::read(&self.sites, &errors.read()?);
        let after = args.download(u, values, &buffers, Buffer::read_into, || Ok(()))?;
        Ok(Launched {
            args: after,
            fault,
            took,
        })
    }
}
