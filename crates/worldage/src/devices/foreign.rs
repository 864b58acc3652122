//! Programs of OpenCL C, of which worldage knows the text: built for the session's device, kept
//! in its store, launched with values of Wir.
#![expect(
    unsafe_code,
    reason = "a kernel of foreign text stays in bounds only by its author's promise"
)]

use super::binaries::key_of;
use crate::session::Session;
use std::time::Duration;
use worldage_cranelift::Grid;
use worldage_opencl::cache::{BinaryCache, Recipe};
use worldage_opencl::foreign::{self, Foreign, KernelInfo, Sources};
use worldage_opencl::{Built, Error};
use worldage_store::Key;
use worldage_wir::value::Value;

/// A program of OpenCL C, built for a session's device: see [`Session::build_foreign`].
///
/// ```
/// # use worldage::{opencl::foreign::Sources, Session, SessionOptions};
/// # let session = Session::new(SessionOptions::default()).unwrap();
/// let blur = Sources::shipped("blur.cl").unwrap();
/// if let Ok(program) = session.build_foreign(&blur, "") {
///     let names: Vec<&str> = program.kernels().map(|kernel| &*kernel.name).collect();
///     assert_eq!(names, ["blur"]);
/// }
/// ```
#[derive(Debug)]
pub struct ForeignProgram {
    foreign: Foreign,
    because: Option<String>,
}

/// What a launch of a foreign kernel did: see [`Session::launch_foreign`].
///
/// ```
/// use std::time::Duration;
/// let launched = worldage::ForeignLaunch { args: Vec::new(), took: Duration::ZERO };
/// assert!(launched.args.is_empty());
/// ```
#[derive(Debug)]
pub struct ForeignLaunch {
    /// The arguments as they are afterwards.
    pub args: Vec<Value>,
    /// How long the kernel ran.
    pub took: Duration,
}

impl ForeignProgram {
    /// Its kernels with their parameters, sorted by name.
    ///
    /// ```
    /// # use worldage::{opencl::foreign::Sources, Session, SessionOptions};
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let blur = Sources::shipped("blur.cl").unwrap();
    /// if let Ok(program) = session.build_foreign(&blur, "") {
    ///     let blur = program.kernels().next().unwrap();
    ///     assert_eq!(blur.count, 4);
    /// }
    /// ```
    pub fn kernels(&self) -> impl Iterator<Item = &KernelInfo> {
        self.foreign.kernels()
    }

    /// Whether the driver's compiler was spared, and how long it took.
    ///
    /// ```
    /// # use worldage::{opencl::foreign::Sources, Session, SessionOptions};
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let blur = Sources::shipped("blur.cl").unwrap();
    /// if let Ok(program) = session.build_foreign(&blur, "") {
    ///     // This session has no store to reload it from.
    ///     assert!(!program.built().from_cache);
    /// }
    /// ```
    #[must_use]
    pub fn built(&self) -> Built {
        self.foreign.built()
    }

    /// In what it differs from the program of its name that was built last for the device:
    /// `source`, `options`, `driver`, …; `None` if it was reloaded, or none was built before.
    ///
    /// ```
    /// # use worldage::{opencl::foreign::Sources, Session, SessionOptions};
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let blur = Sources::shipped("blur.cl").unwrap();
    /// if let Ok(program) = session.build_foreign(&blur, "") {
    ///     assert_eq!(program.because(), None);
    /// }
    /// ```
    #[must_use]
    pub fn because(&self) -> Option<&str> {
        self.because.as_deref()
    }
}

impl Session {
    /// Builds a program of OpenCL C for this session's device, or takes what was built of it
    /// before from the session's store. `options` are the driver's, such as `-DFAST=1`.
    ///
    /// ```
    /// use worldage::opencl::foreign::{File, Sources};
    /// # use worldage::{Grid, Session, SessionOptions, Value};
    /// # use worldage::wir::value::{ArrayRef, Elems};
    /// # use worldage::wir::prim::Scalar;
    /// let text = "#include \"step.h\"\n__kernel void add(__global long *xs, long n) {
    ///     if (get_global_id(0) < n) xs[get_global_id(0)] += STEP; }";
    /// let step = File::new("step.h", "#define STEP 2");
    /// let sources = Sources::new(File::new("add.cl", text), &[step]).unwrap();
    /// let session = Session::new(SessionOptions::default()).unwrap();
    /// let Ok(program) = session.build_foreign(&sources, "") else {
    ///     return; // no device
    /// };
    /// let kernel = program.kernels().next().unwrap();
    /// assert_eq!(kernel.to_string(), "add(__global long* xs, long n)");
    /// # let u = session.universe();
    /// # let elem = u.scalar_ty(Scalar::I64);
    /// # let array = |xs| Value::Array(ArrayRef::new(u.array_ty(elem).unwrap(), elem, Elems::I64(xs)));
    /// let args = [array(vec![1, 2, 3]), Value::int(3)];
    /// let grid = Grid { global: [4, 1, 1], local: [4, 1, 1] };
    /// // SAFETY: the kernel compares its index with n, which is the array's length.
    /// let launched = unsafe { session.launch_foreign(&program, "add", &args, grid) };
    /// let Value::Array(xs) = &launched.unwrap().args[0] else { panic!("an array stays one") };
    /// assert_eq!(xs.elems().get(2).unwrap().as_scalar().unwrap().as_int(), Some(5));
    /// ```
    ///
    /// # Errors
    /// If there is no device, the driver's compiler refuses the text (with its log, whose positions
    /// [`worldage_opencl::foreign::messages`] finds), or an option is not taken.
    pub fn build_foreign(&self, sources: &Sources, options: &str) -> Result<ForeignProgram, Error> {
        let device = self.inner.opencl_device()?;
        let options = foreign::options(&device, options)?;
        let recipe = Recipe {
            name: sources.name(),
            source: sources.text(),
            options: &options,
            device: device.identity(),
        };
        let cache = self.inner.binaries();
        let because = cache.as_ref().and_then(|cache| cache.difference(&recipe));
        let cache = cache.as_ref().map(|cache| cache as &dyn BinaryCache);
        let foreign = Foreign::build(&device, sources, &options, cache)?;
        let because = because.filter(|_| !foreign.built().from_cache);
        Ok(ForeignProgram { foreign, because })
    }

    /// Everything that a program's binary is made from, readable: what names it in the store.
    ///
    /// ```
    /// use worldage::opencl::foreign::Sources;
    /// # use worldage::*;
    /// # let session = Session::new(SessionOptions::default()).unwrap();
    /// let blur = Sources::shipped("blur.cl").unwrap();
    /// if let (Ok(plain), Ok(fast)) = (session.foreign_key(&blur, ""), session.foreign_key(&blur, "-DFAST")) {
    ///     assert!(plain.diff(&fast).contains("options"));
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Session::build_foreign`], but nothing is built.
    pub fn foreign_key(&self, sources: &Sources, options: &str) -> Result<Key, Error> {
        let device = self.inner.opencl_device()?;
        let options = foreign::options(&device, options)?;
        Ok(key_of(&Recipe {
            name: sources.name(),
            source: sources.text(),
            options: &options,
            device: device.identity(),
        }))
    }

    /// Launches a kernel of a foreign program and waits for it: numbers by value, arrays of numbers
    /// as pointers to their elements. An array that the kernel promises not to write (`const`,
    /// `__constant`) is the one that was given. See [`Session::build_foreign`].
    ///
    /// # Safety
    /// The kernel must stay within the arrays that it is given.
    ///
    /// # Errors
    /// If there is no such kernel, the arguments do not fit its parameters, the sizes not the
    /// device, or the driver refuses.
    pub unsafe fn launch_foreign(
        &self,
        program: &ForeignProgram,
        kernel: &str,
        args: &[Value],
        grid: Grid,
    ) -> Result<ForeignLaunch, Error> {
        let grid = worldage_opencl::Grid {
            global: grid.global,
            local: grid.local,
        };
        // SAFETY: the caller's promise.
        let launched = unsafe { program.foreign.launch(kernel, self.universe(), args, grid) }?;
        Ok(ForeignLaunch {
            args: launched.args,
            took: launched.took,
        })
    }
}
