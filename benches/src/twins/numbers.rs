//! Loops and recursion over numbers.

use std::hint::black_box;
use std::ops::Sub;

fn steps(start: i64) -> i64 {
    let (mut x, mut count) = (start, 0);
    while x != 1 {
        x = if x & 1 == 0 { x >> 1 } else { 3 * x + 1 };
        count += 1;
    }
    count
}

pub(super) fn collatz(n: i64) -> (i64, i64) {
    let mut best = (1, 0);
    for start in 1..n {
        let count = steps(start);
        if count > best.1 {
            best = (start, count);
        }
    }
    best
}

fn tak<T: Copy + PartialOrd + Sub<Output = T> + From<u8>>(x: T, y: T, z: T) -> T {
    let one = T::from(1);
    if y < x {
        tak(tak(x - one, y, z), tak(y - one, z, x), tak(z - one, x, y))
    } else {
        z
    }
}

pub(super) fn tak_main(x: i64, y: i64, z: i64) -> i64 {
    black_box(tak(x as f64, y as f64, z as f64));
    black_box(tak(x as i32, y as i32, z as i32));
    tak(x, y, z)
}
