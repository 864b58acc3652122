//! A driver without a device: its memory is the host's, kernels are Rust functions, and it keeps a
//! record of what it is asked. For tests of everything above [`crate::driver`].

use crate::driver::{Driver, Handle, Properties};
use crate::error::Error;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

/// The memory of a device: allocations by address.
pub type Memory = BTreeMap<u64, Vec<u8>>;

/// A launch as the driver is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// The kernel's name.
    pub kernel: String,
    /// Groups in each dimension.
    pub groups: [u32; 3],
    /// Work-items of a group in each dimension.
    pub local: [u32; 3],
    /// Its arguments.
    pub args: Vec<u64>,
}

/// What a launch does to the memory.
pub type Run = Box<dyn Fn(&Launched, &mut Memory) -> Result<(), Error> + Send + Sync>;

/// The driver.
pub struct Twin {
    version: i32,
    properties: Properties,
    run: Run,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    memory: Memory,
    modules: BTreeMap<u64, Vec<u8>>,
    functions: BTreeMap<u64, String>,
    next: u64,
}

/// What its device code begins with; the PTX follows.
const CODE: &[u8] = b"CUBIN";

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}

impl Twin {
    /// A driver of this version with one device, whose kernels do this.
    #[must_use]
    pub fn new(version: i32, properties: Properties, run: Run) -> Twin {
        Twin {
            version,
            properties,
            run,
            state: Mutex::default(),
        }
    }

    /// A device of compute capability 9.0 under CUDA 12.8, whose kernels do this.
    #[must_use]
    pub fn hopper(run: Run) -> Twin {
        let properties = Properties {
            name: "twin".to_string(),
            capability: (9, 0),
            group_size: 1024,
        };
        Twin::new(12_080, properties, run)
    }

    /// What it was asked since this was last asked, without questions that change nothing.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().calls)
    }

    /// Allocations and modules that were not given back.
    pub fn held(&self) -> usize {
        let state = self.state.lock();
        state.memory.len() + state.modules.len()
    }
}

impl State {
    fn call(&mut self, call: String) {
        self.calls.push(call);
    }

    fn next(&mut self) -> u64 {
        // Addresses as a device has them: far apart.
        self.next += 0x1000;
        self.next
    }
}

fn refused(call: &'static str, error: &str) -> Error {
    Error::Driver {
        call,
        error: error.to_string(),
    }
}

impl Driver for Twin {
    fn version(&self) -> Result<i32, Error> {
        Ok(self.version)
    }

    fn count(&self) -> Result<usize, Error> {
        Ok(1)
    }

    fn properties(&self, _: usize) -> Result<Properties, Error> {
        Ok(self.properties.clone())
    }

    fn retain(&self, ordinal: usize) -> Result<Handle, Error> {
        self.state.lock().call(format!("retain {ordinal}"));
        Ok(Handle(1))
    }

    fn release(&self, ordinal: usize) {
        self.state.lock().call(format!("release {ordinal}"));
    }

    fn link(&self, _: Handle, ptx: &str) -> Result<Vec<u8>, Error> {
        self.state.lock().call("link".to_string());
        match ptx.contains(".entry") {
            true => Ok([CODE, ptx.as_bytes()].concat()),
            false => Err(Error::Build {
                log: "ptxas fatal: there is no entry".to_string(),
            }),
        }
    }

    /// # Panics
    /// On bytes that are not its own: a real driver may end the process.
    fn load(&self, _: Handle, cubin: &[u8]) -> Result<Handle, Error> {
        assert!(
            cubin.starts_with(CODE),
            "a driver is given nothing but what it made"
        );
        let mut state = self.state.lock();
        state.call("load".to_string());
        let module = state.next();
        state.modules.insert(module, cubin.to_vec());
        Ok(Handle(module))
    }

    fn unload(&self, _: Handle, module: Handle) {
        let mut state = self.state.lock();
        state.call("unload".to_string());
        state.modules.remove(&module.0);
    }

    fn function(&self, _: Handle, module: Handle, name: &str) -> Result<(Handle, u32), Error> {
        let mut state = self.state.lock();
        let code = state.modules.get(&module.0);
        let code = code.map_or(String::new(), |code| String::from_utf8_lossy(code).into());
        if !code.contains(&format!(".entry {name}")) {
            return Err(refused("cuModuleGetFunction", "named symbol not found"));
        }
        // A kernel may say how large its groups can be.
        let bound = code.split(".maxntid ").nth(1).and_then(|rest| {
            let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            number.parse().ok()
        });
        let function = state.next();
        state.functions.insert(function, name.to_string());
        Ok((Handle(function), bound.unwrap_or(1024)))
    }

    fn allocate(&self, _: Handle, bytes: usize) -> Result<Handle, Error> {
        let mut state = self.state.lock();
        state.call(format!("allocate {bytes}"));
        let memory = state.next();
        state.memory.insert(memory, vec![0xcd; bytes]);
        Ok(Handle(memory))
    }

    fn free(&self, _: Handle, memory: Handle) {
        let mut state = self.state.lock();
        state.call("free".to_string());
        state.memory.remove(&memory.0);
    }

    fn write(&self, _: Handle, memory: Handle, bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.call(format!("write {}", bytes.len()));
        let place = state.memory.get_mut(&memory.0);
        let place = place.and_then(|place| place.get_mut(..bytes.len()));
        let place = place.ok_or_else(|| refused("cuMemcpyHtoD", "invalid argument"))?;
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn read(&self, _: Handle, memory: Handle, bytes: &mut [u8]) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.call(format!("read {}", bytes.len()));
        let place = state.memory.get(&memory.0);
        let place = place.and_then(|place| place.get(..bytes.len()));
        let place = place.ok_or_else(|| refused("cuMemcpyDtoH", "invalid argument"))?;
        bytes.copy_from_slice(place);
        Ok(())
    }

    unsafe fn launch(
        &self,
        _: Handle,
        function: Handle,
        groups: [u32; 3],
        local: [u32; 3],
        args: &[u64],
    ) -> Result<Duration, Error> {
        let mut state = self.state.lock();
        let kernel = state.functions.get(&function.0).cloned();
        let kernel = kernel.ok_or_else(|| refused("cuLaunchKernel", "invalid handle"))?;
        state.call(format!("launch {kernel} {groups:?} {local:?}"));
        let launched = Launched {
            kernel,
            groups,
            local,
            args: args.to_vec(),
        };
        (self.run)(&launched, &mut state.memory)?;
        Ok(Duration::from_micros(10))
    }
}
