//! Kernels on every engine: the launches of `kernels/reference`, whose results were computed apart;
//! every scalar operation on edge values; what fails and what a device cannot do.
//!
//! Trials on OpenCL are ignored, with the reason, where there is no device.

mod kernels {
    pub(super) mod copies;
    pub(super) mod foreign;
    pub(super) mod launch;
    pub(super) mod operations;
    pub(super) mod overlays;
    pub(super) mod refusals;
    pub(super) mod schedules;
}

use kernels::launch::{Engine, Launch};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(root).expect("the project has a root");
    let mut trials = Vec::new();
    for launch in Launch::all() {
        for engine in Engine::ALL {
            if !launch.is_for(*engine) {
                continue;
            }
            let launch = launch.clone();
            let name = format!("kernels/{} {engine:?}", launch.name);
            trials.push(trial(name, *engine, move || launch.check(*engine)));
        }
    }
    trials.extend(operations_and_refusals());
    libtest_mimic::run(&args, trials).exit_code()
}

fn operations_and_refusals() -> Vec<Trial> {
    let mut trials = Vec::new();
    for engine in Engine::ALL {
        for (name, check) in kernels::operations::CHECKS {
            let name = format!("operations/{name} {engine:?}");
            trials.push(trial(name, *engine, || check(*engine)));
        }
        for (name, check) in kernels::refusals::FAULTS {
            let name = format!("faults/{name} {engine:?}");
            trials.push(trial(name, *engine, || check(*engine)));
        }
    }
    for engine in Engine::ALL {
        let Some(shard) = engine.shard() else {
            continue;
        };
        for (name, check) in kernels::schedules::CHECKS {
            let name = format!("schedules/{name} {engine:?}");
            trials.push(trial(name, *engine, move || check(shard)));
        }
    }
    for (name, check) in kernels::overlays::CHECKS {
        trials.push(trial(format!("overlays/{name}"), Engine::Speed, check));
    }
    for (name, check) in kernels::overlays::ON_DEVICE {
        trials.push(trial(format!("overlays/{name}"), Engine::OpenCl, check));
    }
    for (name, check) in kernels::refusals::CHECKS {
        let name = format!("devices/{name}");
        trials.push(trial(name, Engine::Speed, check));
    }
    for (name, check) in kernels::copies::CHECKS {
        let name = format!("copies/{name}");
        trials.push(trial(name, Engine::OpenCl, check));
    }
    for (name, check) in kernels::foreign::CHECKS {
        let name = format!("foreign/{name}");
        trials.push(trial(name, Engine::OpenCl, check));
    }
    for (name, check) in kernels::refusals::ON_DEVICE {
        let name = format!("devices/{name}");
        trials.push(trial(name, Engine::OpenCl, check));
    }
    trials
}

fn trial(
    name: String,
    engine: Engine,
    check: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(reason) = engine.missing() {
            return Ok(Completion::ignored_with(reason));
        }
        check()
            .map(|()| Completion::Completed)
            .map_err(Failed::from)
    })
}
