//! Complex numbers: the set of Mandelbrot, the transform of Fourier.

use std::hint::black_box;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Default)]
struct Complex {
    re: f64,
    im: f64,
}

const fn complex(re: f64, im: f64) -> Complex {
    Complex { re, im }
}

impl Add for Complex {
    type Output = Complex;
    fn add(self, b: Complex) -> Complex {
        complex(self.re + b.re, self.im + b.im)
    }
}

impl Sub for Complex {
    type Output = Complex;
    fn sub(self, b: Complex) -> Complex {
        complex(self.re - b.re, self.im - b.im)
    }
}

impl Mul for Complex {
    type Output = Complex;
    fn mul(self, b: Complex) -> Complex {
        complex(
            self.re * b.re - self.im * b.im,
            self.re * b.im + self.im * b.re,
        )
    }
}

fn abs2(a: Complex) -> f64 {
    a.re * a.re + a.im * a.im
}

fn escape_time(c: Complex, limit: i64) -> i64 {
    let mut z = complex(0.0, 0.0);
    for i in 0..limit {
        if abs2(z) > 4.0 {
            return i;
        }
        z = z * z + c;
    }
    limit
}

pub(super) fn mandelbrot(n: i64) -> i64 {
    let (mut inside, mut checksum) = (0, 0);
    for row in 0..n {
        for column in 0..n {
            let c = complex(
                3.0 * column as f64 / n as f64 - 2.0,
                3.0 * row as f64 / n as f64 - 1.5,
            );
            let steps = escape_time(c, 50);
            if steps == 50 {
                inside += 1;
            } else {
                checksum = (checksum * 31 + steps) % 1_000_003;
            }
        }
    }
    black_box(inside);
    checksum
}

fn root_of_unity(n: i64) -> Complex {
    match n {
        1 => complex(1.0, 0.0),
        2 => complex(-1.0, 0.0),
        4 => complex(0.0, -1.0),
        _ => {
            let twice = root_of_unity(n / 2);
            complex(
                ((1.0 + twice.re) / 2.0).sqrt(),
                -((1.0 - twice.re) / 2.0).sqrt(),
            )
        }
    }
}

fn fft(xs: Vec<Complex>) -> Vec<Complex> {
    let n = xs.len();
    if n == 1 {
        return xs;
    }
    let half = n / 2;
    let mut even = vec![Complex::default(); half];
    let mut odd = vec![Complex::default(); half];
    for i in 0..half {
        even[i] = xs[2 * i];
        odd[i] = xs[2 * i + 1];
    }
    let even = fft(even);
    let odd = fft(odd);
    let mut out = vec![Complex::default(); n];
    let step = root_of_unity(n as i64);
    let mut w = complex(1.0, 0.0);
    for i in 0..half {
        let t = w * odd[i];
        out[i] = even[i] + t;
        out[i + half] = even[i] - t;
        w = w * step;
    }
    out
}

fn inverse_fft(xs: &[Complex]) -> Vec<Complex> {
    let n = xs.len();
    let mut conjugated = vec![Complex::default(); n];
    for i in 0..n {
        conjugated[i] = complex(xs[i].re, -xs[i].im);
    }
    let mut ys = fft(conjugated);
    for i in 0..n {
        ys[i] = complex(ys[i].re / n as f64, -ys[i].im / n as f64);
    }
    ys
}

pub(super) fn fft_main(n: i64) -> f64 {
    let xs: Vec<Complex> = (0..n)
        .map(|i| complex((i * i % 7) as f64, (i * 5 % 11) as f64))
        .collect();
    let ys = fft(xs.clone());
    let back = inverse_fft(&ys);
    let (mut in_time, mut in_frequency, mut error) = (0.0, 0.0, 0.0f64);
    for i in 0..n as usize {
        in_time += abs2(xs[i]);
        in_frequency += abs2(ys[i]) / n as f64;
        error = error.max(abs2(xs[i] - back[i]));
    }
    black_box((in_frequency, error));
    in_time
}
