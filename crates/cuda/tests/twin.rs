//! Everything above the driver's calls, with a driver whose memory is the host's.

#![expect(unsafe_code, reason = "a launch relies on its arguments")]

use std::sync::Arc;
use worldage_cuda::driver::Properties;
use worldage_cuda::twin::{Run, Twin};
use worldage_cuda::{Arg, Buffer, Cubin, Device, Error, Grid, Kernel};

/// `y[0] = a`, with the number of work-items behind it.
fn store() -> Run {
    Box::new(|launched, memory| {
        let items: u32 = launched.groups.iter().chain(&launched.local).product();
        let y = memory.get_mut(&launched.args[1]).expect("an allocation");
        let a = u8::try_from(launched.args[0]).expect("a small number");
        y[..2].copy_from_slice(&[a, u8::try_from(items).expect("a small grid")]);
        Ok(())
    })
}

const PTX: &str = ".visible .entry store(.param .u8 a, .param .u64 y) {}";

fn open() -> (Arc<Twin>, Arc<Device>) {
    let twin = Arc::new(Twin::hopper(store()));
    let device = Device::open_on(twin.clone(), 0).unwrap();
    (twin, device)
}

fn loaded(device: &Arc<Device>, ptx: &str) -> Kernel {
    let cubin = device.compile(ptx, &["store"]).unwrap();
    device.load(&cubin, "store").unwrap()
}

fn launch(kernel: &Kernel, grid: Grid, args: &[Arg<'_>]) -> Result<(), Error> {
    // SAFETY: the twin's kernel stays within its memory whatever it is given.
    unsafe { kernel.launch(grid, args) }.map(drop)
}

const ONE: Grid = Grid {
    global: [1, 1, 1],
    local: [1, 1, 1],
};

#[test]
fn from_ptx_to_a_result() {
    let (twin, device) = open();
    let kernel = loaded(&device, PTX);
    let buffer = Buffer::new(&device, &[1, 2, 3]).unwrap();
    let grid = Grid {
        global: [8, 2, 1],
        local: [4, 2, 1],
    };
    launch(&kernel, grid, &[Arg::Bytes(&[9]), Arg::Buffer(&buffer)]).unwrap();
    assert_eq!(buffer.read().unwrap(), [9, 16, 3]);
    let expected = "retain 0, link, load, unload, load, allocate 3, write 3, \
                    launch store [2, 1, 1] [4, 2, 1], read 3";
    assert_eq!(twin.take_calls().join(", "), expected);
    drop((buffer, kernel));
    assert_eq!(twin.held(), 0);
    drop(device);
    assert_eq!(twin.take_calls().join(", "), "free, unload, release 0");
}

#[test]
fn a_cubin_travels_as_bytes() {
    let (_, device) = open();
    let cubin = device.compile(PTX, &["store"]).unwrap();
    let bytes = cubin.to_bytes();
    assert_eq!(Cubin::from_bytes(&bytes).as_ref(), Some(&cubin));
    for length in 0..bytes.len() {
        assert_eq!(Cubin::from_bytes(&bytes[..length]), None, "{length} bytes");
    }
    assert_eq!(Cubin::from_bytes(&[&bytes[..], &[0]].concat()), None);
}

#[test]
fn what_does_not_fit_is_refused_before_the_driver_is_asked() {
    let (twin, device) = open();
    let kernel = loaded(&device, &format!("{PTX} .maxntid 64"));
    twin.take_calls();
    let refused = |global, local, args: &[Arg<'_>]| {
        let error = launch(&kernel, Grid { global, local }, args).unwrap_err();
        assert!(error.is_deterministic());
        error.to_string()
    };
    let cases = [
        ([3, 1, 1], [2, 1, 1], "the local size 2 does not divide"),
        (
            [0, 1, 1],
            [1, 1, 1],
            "the local size 1 does not divide the global size 0",
        ),
        ([1, 1, 1], [0, 1, 1], "the local size 0 does not divide"),
        (
            [128, 1, 1],
            [128, 1, 1],
            "a group of 128 work-items is larger than the kernel's 64",
        ),
        (
            [2048, 1, 1],
            [2048, 1, 1],
            "a group of 2048 work-items is larger than the kernel's 64",
        ),
        (
            [1, 65_536, 1],
            [1, 1, 1],
            "65536 groups in dimension 1 are more than the 65535",
        ),
    ];
    for (global, local, begins) in cases {
        let found = refused(global, local, &[]);
        assert!(found.starts_with(begins), "{found}");
    }
    let found = refused([1, 1, 1], [1, 1, 1], &[Arg::Bytes(&[0; 9])]);
    assert_eq!(found, "an argument of more than eight bytes");
    let (_, other) = open();
    let foreign = Buffer::new(&other, &[0]).unwrap();
    let found = refused([1, 1, 1], [1, 1, 1], &[Arg::Buffer(&foreign)]);
    assert_eq!(found, "a buffer of another device");
    assert_eq!(twin.take_calls(), [""; 0]);
}

#[test]
fn code_of_another_device_or_driver_is_refused() {
    let (twin, device) = open();
    let cubin = device.compile(PTX, &["store"]).unwrap();
    twin.take_calls();
    let mut others = [cubin.clone(), cubin.clone(), cubin.clone()];
    others[0].device.name = "another".to_string();
    others[1].device.driver += 1;
    others[2].device.capability = (8, 0);
    for other in &others {
        let error = device.load(other, "store").unwrap_err().to_string();
        assert!(error.contains("does not run on twin"), "{error}");
    }
    let error = device.load(&cubin, "gone").unwrap_err();
    assert_eq!(error.to_string(), "there is no kernel `gone`");
    assert_eq!(twin.take_calls(), [""; 0]);
}

#[test]
fn builds_fail_with_the_compilers_words() {
    let (twin, device) = open();
    let error = device.compile("nothing", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the driver refuses the PTX: ptxas fatal: there is no entry"
    );
    let error = device.compile(PTX, &["gone"]).unwrap_err();
    assert!(error.to_string().contains("named symbol not found"));
    assert_eq!(twin.held(), 0, "what was loaded is given back");
}

#[test]
fn buffers_are_of_a_size() {
    let (_, device) = open();
    let empty = Buffer::new(&device, &[]).unwrap();
    assert_eq!((empty.size(), empty.read().unwrap()), (0, Vec::new()));
    let buffer = Buffer::new(&device, &[1, 2]).unwrap();
    assert!(Arc::ptr_eq(buffer.device(), &device));
    buffer.write(&[3, 4]).unwrap();
    assert_eq!(buffer.read().unwrap(), [3, 4]);
    let error = buffer.write(&[1]).unwrap_err();
    assert_eq!(error.to_string(), "1 bytes do not fit a buffer of 2");
}

#[test]
fn an_old_driver_and_a_missing_device_are_told() {
    let properties = Properties {
        name: "old".to_string(),
        capability: (7, 0),
        group_size: 1024,
    };
    let old = Arc::new(Twin::new(11_040, properties, store()));
    let error = Device::open_on(old, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the CUDA driver supports CUDA 11.4, and CUDA 12.0 is needed: update it"
    );
    let twin = Arc::new(Twin::hopper(store()));
    let error = Device::open_on(twin.clone(), 1).unwrap_err();
    assert_eq!(error.to_string(), "no CUDA device 1: there are 1");
    assert_eq!(twin.take_calls(), [""; 0]);
}

#[test]
fn errors_of_a_launch_come_back() {
    let fails: Run = Box::new(|_, _| {
        Err(Error::Driver {
            call: "cuEventSynchronize",
            error: "an illegal memory access was encountered".to_string(),
        })
    });
    let device = Device::open_on(Arc::new(Twin::hopper(fails)), 0).unwrap();
    let kernel = loaded(&device, PTX);
    let error = launch(&kernel, ONE, &[]).unwrap_err();
    assert!(!error.is_deterministic());
    assert!(error.to_string().contains("illegal memory access"));
}
