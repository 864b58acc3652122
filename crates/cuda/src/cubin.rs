//! Device code: the bytes that the driver makes of PTX, which may be kept beyond the process, and
//! the handle of a kernel in this one.

use crate::device::{Device, Identity};
use crate::driver::Handle;
use crate::error::Error;
use std::sync::Arc;

/// What the driver made of a PTX text for a kind of device: nothing in it belongs to the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cubin {
    /// The code. Only what a driver made is given to one: whoever stores it checks it.
    pub bytes: Vec<u8>,
    /// The kernels in it.
    pub entries: Vec<Entry>,
    /// What it was made for, and by which driver.
    pub device: Identity,
}

/// A kernel of device code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The most work-items of a group that it can run with: its registers bound it.
    pub group_size: u32,
}

/// A kernel that was loaded onto a device; unloaded when dropped.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) function: Handle,
    pub(crate) group_size: u32,
    pub(crate) device: Arc<Device>,
    module: Handle,
}

const MAGIC: &[u8; 8] = b"wacubi01";

impl Cubin {
    /// As bytes: magic; capability (two `u32`), driver (`i32`), the device's name; the number of
    /// kernels, each with its name and its bound; the code. Numbers are little-endian, texts and
    /// the code have their length before them, as `u32`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let (major, minor) = self.device.capability;
        out.extend(major.to_le_bytes());
        out.extend(minor.to_le_bytes());
        out.extend(self.device.driver.to_le_bytes());
        put(&mut out, self.device.name.as_bytes());
        out.extend(length(self.entries.len()).to_le_bytes());
        for entry in &self.entries {
            put(&mut out, entry.name.as_bytes());
            out.extend(entry.group_size.to_le_bytes());
        }
        put(&mut out, &self.bytes);
        out
    }

    /// From bytes; `None` if they are anything else than [`Cubin::to_bytes`] gives. Whether the
    /// code in them is what a driver gave is for a checksum to say.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Cubin> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let capability = (number(&mut rest)?, number(&mut rest)?);
        let driver = number(&mut rest)?.cast_signed();
        let name = text(&mut rest)?;
        let count = number(&mut rest)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(Entry {
                name: text(&mut rest)?,
                group_size: number(&mut rest)?,
            });
        }
        let code = part(&mut rest)?.to_vec();
        rest.is_empty().then_some(Cubin {
            bytes: code,
            entries,
            device: Identity {
                name,
                capability,
                driver,
            },
        })
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("device code is below 4 GiB")
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(length(bytes.len()).to_le_bytes());
    out.extend(bytes);
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

fn part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(rest)? as usize;
    let (part, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

fn text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(part(rest)?.to_vec()).ok()
}

impl Device {
    /// Compiles PTX for this device.
    ///
    /// # Errors
    /// [`Error::Build`] with the compiler's words; [`Error::Arguments`] for a text with a NUL;
    /// what the driver says, also that a kernel is not in the text.
    pub fn compile(self: &Arc<Self>, ptx: &str, entries: &[&str]) -> Result<Cubin, Error> {
        let _one = self.building.lock();
        let bytes = self.driver.link(self.context, ptx)?;
        let module = self.driver.load(self.context, &bytes)?;
        let bounds = entries.iter().map(|name| {
            let found = self.driver.function(self.context, module, name);
            found.map(|(_, group_size)| Entry {
                name: (*name).to_string(),
                group_size,
            })
        });
        let entries: Result<Vec<Entry>, Error> = bounds.collect();
        self.driver.unload(self.context, module);
        Ok(Cubin {
            bytes,
            entries: entries?,
            device: self.identity().clone(),
        })
    }

    /// Loads a kernel.
    ///
    /// # Errors
    /// [`Error::Arguments`] for code of another device or driver or an unknown name; else what the
    /// driver says.
    pub fn load(self: &Arc<Self>, cubin: &Cubin, entry: &str) -> Result<Kernel, Error> {
        let (made, here) = (&cubin.device, self.identity());
        if made != here {
            let message = format!(
                "code for {} under CUDA {} does not run on {} under CUDA {}",
                made.name, made.driver, here.name, here.driver
            );
            return Err(Error::Arguments(message));
        }
        if !cubin.entries.iter().any(|known| known.name == entry) {
            return Err(Error::Arguments(format!("there is no kernel `{entry}`")));
        }
        let module = self.driver.load(self.context, &cubin.bytes)?;
        let found = self.driver.function(self.context, module, entry);
        let (function, group_size) = found.inspect_err(|_| {
            self.driver.unload(self.context, module);
        })?;
        Ok(Kernel {
            function,
            group_size,
            device: Arc::clone(self),
            module,
        })
    }
}

impl Kernel {
    /// What it was loaded onto.
    #[must_use]
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.device.driver.unload(self.device.context, self.module);
    }
}
