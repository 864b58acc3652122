//! Programs of `ir/run` written in Rust, line by line the same algorithm: what generated code is
//! measured against.
//!
//! Arrays are `Vec`s with their bounds checks, structs are `Copy`; nothing is unrolled, blocked
//! or told more than the Wir program tells. Numbers come through `black_box`, as they come from
//! outside in Wir.
//!
//! Long because it is ten programs, one after the other.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_swap,
    clippy::manual_memcpy,
    clippy::excessive_precision,
    clippy::approx_constant,
    clippy::assign_op_pattern,
    reason = "the loops and numbers are those of the Wir programs"
)]

use std::hint::black_box;
use std::ops::{Add, Mul, Sub};

/// A program, the call that is measured, and its twin.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The file in `ir/run`, without its ending.
    pub file: &'static str,
    /// The call.
    pub call: &'static str,
    /// The same in Rust: its value as text.
    pub twin: fn() -> String,
}

/// All programs.
pub const PROGRAMS: &[Program] = &[
    program("nbody", "main(500000)", || show(nbody(n(500_000)))),
    program("spectral_norm", "main(700)", || show(spectral_norm(n(700)))),
    program("fannkuch", "main(9)", || {
        let (checksum, most) = fannkuch(n(9));
        format!("Result({checksum}, {most})")
    }),
    program("mandelbrot", "main(1000)", || show(mandelbrot(n(1000)))),
    program("matmul", "main(300)", || show(matmul(n(300)))),
    program("sieve", "count_primes(5000000)", || {
        show(count_primes(n(5_000_000)))
    }),
    program("queens", "queens(12)", || show(queens(n(12)))),
    program("queens", "queens_bits(12)", || show(queens_bits(n(12)))),
    program("heapsort", "main(300000)", || {
        show(heapsort_main(n(300_000)))
    }),
    program("floyd_warshall", "main(300)", || {
        show(floyd_warshall(n(300)))
    }),
    program("levenshtein", "main(4000)", || show(levenshtein(n(4000)))),
    program("fft", "main(65536)", || show(fft_main(n(65_536)))),
    program("collatz", "main(300000)", || {
        let (start, steps) = collatz(n(300_000));
        format!("Longest({start}, {steps})")
    }),
    program("tak", "main(18, 12, 6)", || {
        show(tak_main(n(18), n(12), n(6)))
    }),
    program("knapsack", "main(500, 50000)", || {
        show(knapsack(n(500), n(50_000)))
    }),
    program("crc32", "main(3000000)", || show(crc32_main(n(3_000_000)))),
];

const fn program(file: &'static str, call: &'static str, twin: fn() -> String) -> Program {
    Program { file, call, twin }
}

fn n(n: i64) -> i64 {
    black_box(n)
}

fn show(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

// nbody

#[derive(Clone, Copy, Default)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}

const fn vec3(x: f64, y: f64, z: f64) -> Vec3 {
    Vec3 { x, y, z }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, b: Vec3) -> Vec3 {
        vec3(self.x + b.x, self.y + b.y, self.z + b.z)
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, b: Vec3) -> Vec3 {
        vec3(self.x - b.x, self.y - b.y, self.z - b.z)
    }
}

impl Mul<f64> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f64) -> Vec3 {
        vec3(self.x * k, self.y * k, self.z * k)
    }
}

fn dot(a: Vec3, b: Vec3) -> f64 {
    a.x * b.x + a.y * b.y + a.z * b.z
}

#[derive(Clone, Copy, Default)]
struct Body {
    position: Vec3,
    velocity: Vec3,
    mass: f64,
}

fn solar_system() -> Vec<Body> {
    let solar_mass = 4.0 * 3.141592653589793 * 3.141592653589793;
    let planet = |position: Vec3, per_day: Vec3, mass: f64| Body {
        position,
        velocity: per_day * 365.24,
        mass: mass * solar_mass,
    };
    let mut bodies = vec![
        Body {
            mass: solar_mass,
            ..Body::default()
        },
        planet(
            vec3(
                4.84143144246472090,
                -1.16032004402742839,
                -0.103622044471123109,
            ),
            vec3(
                0.00166007664274403694,
                0.00769901118419740425,
                -0.0000690460016972063023,
            ),
            0.000954791938424326609,
        ),
        planet(
            vec3(
                8.34336671824457987,
                4.12479856412430479,
                -0.403523417114321381,
            ),
            vec3(
                -0.00276742510726411021,
                0.00499852801234917238,
                0.0000230417297573763929,
            ),
            0.000285885980666130812,
        ),
        planet(
            vec3(
                12.8943695621391310,
                -15.1111514016986312,
                -0.223307578892655734,
            ),
            vec3(
                0.00296460137564761618,
                0.00237847173959480950,
                -0.0000296589568540237556,
            ),
            0.0000436624404335156298,
        ),
        planet(
            vec3(
                15.3796971148509165,
                -25.9193146099879641,
                0.179258772950371181,
            ),
            vec3(
                0.00268067772490389322,
                0.00162824170038242295,
                -0.0000951592254519715870,
            ),
            0.0000515138902046611451,
        ),
    ];
    let mut momentum = Vec3::default();
    for body in &bodies {
        momentum = momentum + body.velocity * body.mass;
    }
    let sun = bodies[0];
    bodies[0].velocity = Vec3::default() - momentum * (1.0 / sun.mass);
    bodies
}

fn energy(bodies: &[Body]) -> f64 {
    let mut total = 0.0;
    for i in 0..bodies.len() {
        let a = bodies[i];
        total = total + 0.5 * a.mass * dot(a.velocity, a.velocity);
        for j in i + 1..bodies.len() {
            let b = bodies[j];
            let d = a.position - b.position;
            total = total - a.mass * b.mass / dot(d, d).sqrt();
        }
    }
    total
}

fn advance(bodies: &mut [Body], dt: f64) {
    for i in 0..bodies.len() {
        for j in i + 1..bodies.len() {
            let a = bodies[i];
            let b = bodies[j];
            let d = a.position - b.position;
            let distance2 = dot(d, d);
            let k = dt / (distance2 * distance2.sqrt());
            bodies[i].velocity = a.velocity - d * (b.mass * k);
            bodies[j].velocity = b.velocity + d * (a.mass * k);
        }
    }
    for i in 0..bodies.len() {
        let a = bodies[i];
        bodies[i].position = a.position + a.velocity * dt;
    }
}

fn nbody(steps: i64) -> f64 {
    let mut bodies = solar_system();
    black_box(energy(&bodies));
    for _ in 0..steps {
        advance(&mut bodies, 0.01);
    }
    energy(&bodies)
}

// spectral_norm

fn a(i: i64, j: i64) -> f64 {
    1.0 / (((i + j) * (i + j + 1) / 2 + i + 1) as f64)
}

fn multiply(v: &[f64], out: &mut [f64]) {
    for i in 0..v.len() {
        let mut sum = 0.0;
        for j in 0..v.len() {
            sum += a(i as i64, j as i64) * v[j];
        }
        out[i] = sum;
    }
}

fn multiply_transposed(v: &[f64], out: &mut [f64]) {
    for i in 0..v.len() {
        let mut sum = 0.0;
        for j in 0..v.len() {
            sum += a(j as i64, i as i64) * v[j];
        }
        out[i] = sum;
    }
}

fn spectral_norm(n: i64) -> f64 {
    let n = n as usize;
    let (mut u, mut v, mut scratch) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for _ in 0..10 {
        multiply(&u, &mut scratch);
        multiply_transposed(&scratch, &mut v);
        multiply(&v, &mut scratch);
        multiply_transposed(&scratch, &mut u);
    }
    let (mut uv, mut vv) = (0.0, 0.0);
    for i in 0..n {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    f64::sqrt(uv / vv)
}

// fannkuch

fn flips(permutation: &[i64], work: &mut [i64]) -> i64 {
    for i in 0..permutation.len() {
        work[i] = permutation[i];
    }
    let mut count = 0;
    while work[0] != 0 {
        let mut lo = 0;
        let mut hi = work[0];
        while lo < hi {
            let kept = work[lo as usize];
            work[lo as usize] = work[hi as usize];
            work[hi as usize] = kept;
            lo += 1;
            hi -= 1;
        }
        count += 1;
    }
    count
}

fn rotate(permutation: &mut [i64], k: i64) {
    let first = permutation[0];
    for i in 0..k {
        permutation[i as usize] = permutation[(i + 1) as usize];
    }
    permutation[k as usize] = first;
}

fn fannkuch(n: i64) -> (i64, i64) {
    let mut permutation: Vec<i64> = (0..n).collect();
    let mut work = vec![0; n as usize];
    let mut turns = vec![0; n as usize];
    let (mut checksum, mut most, mut is_even) = (0, 0, true);
    loop {
        let count = flips(&permutation, &mut work);
        most = most.max(count);
        checksum = if is_even {
            checksum + count
        } else {
            checksum - count
        };
        is_even = !is_even;
        let mut k = 1;
        while k < n {
            rotate(&mut permutation, k);
            turns[k as usize] += 1;
            if turns[k as usize] <= k {
                break;
            }
            turns[k as usize] = 0;
            k += 1;
        }
        if k >= n {
            return (checksum, most);
        }
    }
}

// mandelbrot, fft

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

fn mandelbrot(n: i64) -> i64 {
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

fn fft_main(n: i64) -> f64 {
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

// matmul

struct Matrix {
    rows: i64,
    columns: i64,
    elements: Vec<f64>,
}

impl Matrix {
    fn new(rows: i64, columns: i64) -> Matrix {
        let elements = vec![0.0; (rows * columns) as usize];
        Matrix {
            rows,
            columns,
            elements,
        }
    }

    fn at(&self, i: i64, j: i64) -> f64 {
        self.elements[(i * self.columns + j) as usize]
    }

    fn put(&mut self, i: i64, j: i64, value: f64) {
        self.elements[(i * self.columns + j) as usize] = value;
    }
}

fn product(a: &Matrix, b: &Matrix, mut out: Matrix) -> Matrix {
    for i in 0..a.rows {
        for j in 0..b.columns {
            let mut sum = out.at(i, j);
            for k in 0..a.columns {
                sum += a.at(i, k) * b.at(k, j);
            }
            out.put(i, j, sum);
        }
    }
    out
}

fn matmul(n: i64) -> f64 {
    let (mut a, mut b) = (Matrix::new(n, n), Matrix::new(n, n));
    for i in 0..n {
        for j in 0..n {
            a.put(i, j, 1.0 / (i + j + 1) as f64);
            b.put(i, j, (i - j) as f64 / 3.0);
        }
    }
    let c = product(&a, &b, Matrix::new(n, n));
    let mut trace = 0.0;
    for i in 0..n {
        trace += c.at(i, i) * (i + 1) as f64;
    }
    trace
}

// sieve

fn count_primes(n: i64) -> i64 {
    let mut composite = vec![false; n as usize];
    let mut p = 2;
    while p * p < n {
        if !composite[p as usize] {
            let mut multiple = p * p;
            while multiple < n {
                composite[multiple as usize] = true;
                multiple += p;
            }
        }
        p += 1;
    }
    let mut count = 0;
    for i in 2..n {
        if !composite[i as usize] {
            count += 1;
        }
    }
    count
}

// queens

fn place(row: i64, n: i64, columns: &mut [bool], rising: &mut [bool], falling: &mut [bool]) -> i64 {
    if row == n {
        return 1;
    }
    let mut ways = 0;
    for column in 0..n {
        let (c, up, down) = (
            column as usize,
            (row + column) as usize,
            (row - column + n - 1) as usize,
        );
        if !columns[c] && !rising[up] && !falling[down] {
            columns[c] = true;
            rising[up] = true;
            falling[down] = true;
            ways += place(row + 1, n, columns, rising, falling);
            columns[c] = false;
            rising[up] = false;
            falling[down] = false;
        }
    }
    ways
}

fn queens(n: i64) -> i64 {
    let diagonals = (2 * n - 1) as usize;
    let mut columns = vec![false; n as usize];
    let (mut rising, mut falling) = (vec![false; diagonals], vec![false; diagonals]);
    place(0, n, &mut columns, &mut rising, &mut falling)
}

fn place_bits(all: i64, columns: i64, rising: i64, falling: i64) -> i64 {
    if columns == all {
        return 1;
    }
    let mut ways = 0;
    let mut free = all & !(columns | rising | falling);
    while free != 0 {
        let queen = free & free.wrapping_neg();
        free ^= queen;
        ways += place_bits(
            all,
            columns | queen,
            (rising | queen) << 1,
            (falling | queen) >> 1,
        );
    }
    ways
}

fn queens_bits(n: i64) -> i64 {
    place_bits((1 << n) - 1, 0, 0, 0)
}

// heapsort

fn swap<T: Copy>(xs: &mut [T], i: i64, j: i64) {
    let kept = xs[i as usize];
    xs[i as usize] = xs[j as usize];
    xs[j as usize] = kept;
}

fn sift_down<T: Copy + PartialOrd>(xs: &mut [T], root: i64, end: i64) {
    let mut parent = root;
    loop {
        let mut child = 2 * parent + 1;
        if child >= end {
            return;
        }
        if child + 1 < end && xs[child as usize] < xs[child as usize + 1] {
            child += 1;
        }
        let in_order = xs[parent as usize] < xs[child as usize];
        if !in_order {
            return;
        }
        swap(xs, parent, child);
        parent = child;
    }
}

fn heapsort<T: Copy + PartialOrd>(xs: &mut [T]) {
    let n = xs.len() as i64;
    let mut root = n / 2 - 1;
    while root >= 0 {
        sift_down(xs, root, n);
        root -= 1;
    }
    let mut end = n - 1;
    while end > 0 {
        swap(xs, 0, end);
        sift_down(xs, 0, end);
        end -= 1;
    }
}

fn is_sorted<T: PartialOrd>(xs: &[T]) -> bool {
    for i in 1..xs.len() {
        if xs[i] < xs[i - 1] {
            return false;
        }
    }
    true
}

fn heapsort_main(n: i64) -> i64 {
    let mut xs: Vec<i64> = (0..n).map(|i| (i * 7919 + 13) % 1009).collect();
    heapsort(&mut xs);
    let mut floats: Vec<f64> = (0..n).map(|i| (i * 7919 % 1009) as f64 / 8.0).collect();
    heapsort(&mut floats);
    let mut dates: Vec<(i64, i64)> = (0..n).map(|i| (2000 + i * 37 % 5, i * 101 % 365)).collect();
    heapsort(&mut dates);
    black_box((is_sorted(&xs), is_sorted(&floats), is_sorted(&dates)));
    let mut checksum = 0;
    for i in 0..n as usize {
        checksum = (checksum * 31 + xs[i]) % 1_000_000_007;
    }
    checksum
}

// floyd_warshall

fn shortest_ways(distance: &mut [i64], n: i64) {
    for via in 0..n {
        for from in 0..n {
            for to in 0..n {
                let detour =
                    distance[(from * n + via) as usize] + distance[(via * n + to) as usize];
                if detour < distance[(from * n + to) as usize] {
                    distance[(from * n + to) as usize] = detour;
                }
            }
        }
    }
}

fn floyd_warshall(n: i64) -> i64 {
    let mut distance = vec![1_000_000_000; (n * n) as usize];
    for i in 0..n {
        distance[(i * n + i) as usize] = 0;
        distance[(i * n + (i + 1) % n) as usize] = 10 + i % 3;
        if i % 4 == 0 {
            let at = (i * n + i * i % n) as usize;
            distance[at] = distance[at].min(25);
        }
    }
    shortest_ways(&mut distance, n);
    let (mut total, mut longest) = (0, 0);
    for i in 0..(n * n) as usize {
        total += distance[i];
        longest = longest.max(distance[i]);
    }
    black_box(longest);
    total
}

// levenshtein

fn distance(a: &[i64], b: &[i64]) -> i64 {
    let mut above = vec![0; b.len() + 1];
    let mut row = vec![0; b.len() + 1];
    for j in 0..above.len() {
        above[j] = j as i64;
    }
    for i in 0..a.len() {
        row[0] = i as i64 + 1;
        for j in 0..b.len() {
            let replaced = above[j] + i64::from(a[i] != b[j]);
            row[j + 1] = replaced.min(above[j + 1].min(row[j]) + 1);
        }
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

fn levenshtein(n: i64) -> i64 {
    let generated = |n: i64, factor: i64| -> Vec<i64> { (0..n).map(|i| i * factor % 5).collect() };
    distance(&generated(n, 3), &generated(n + 2, 7))
}

// collatz

fn steps(start: i64) -> i64 {
    let (mut x, mut count) = (start, 0);
    while x != 1 {
        x = if x & 1 == 0 { x >> 1 } else { 3 * x + 1 };
        count += 1;
    }
    count
}

fn collatz(n: i64) -> (i64, i64) {
    let mut best = (1, 0);
    for start in 1..n {
        let count = steps(start);
        if count > best.1 {
            best = (start, count);
        }
    }
    best
}

// tak

fn tak<T: Copy + PartialOrd + Sub<Output = T> + From<u8>>(x: T, y: T, z: T) -> T {
    let one = T::from(1);
    if y < x {
        tak(tak(x - one, y, z), tak(y - one, z, x), tak(z - one, x, y))
    } else {
        z
    }
}

fn tak_main(x: i64, y: i64, z: i64) -> i64 {
    black_box(tak(x as f64, y as f64, z as f64));
    black_box(tak(x as i32, y as i32, z as i32));
    tak(x, y, z)
}

// knapsack

#[derive(Clone, Copy)]
struct Item {
    weight: i64,
    value: i64,
}

fn items(n: i64) -> Vec<Item> {
    let item = |i| Item {
        weight: i * 7 % 13 + 1,
        value: i * 11 % 17 + 3,
    };
    (0..n).map(item).collect()
}

fn best(all: &[Item], capacity: i64) -> i64 {
    let mut value = vec![0; capacity as usize + 1];
    for i in 0..all.len() {
        let item = all[i];
        let mut room = capacity;
        while room >= item.weight {
            value[room as usize] =
                value[room as usize].max(value[(room - item.weight) as usize] + item.value);
            room -= 1;
        }
    }
    value[capacity as usize]
}

fn best_by_force(all: &[Item], first: usize, capacity: i64) -> i64 {
    if first == all.len() {
        return 0;
    }
    let item = all[first];
    let without = best_by_force(all, first + 1, capacity);
    if item.weight > capacity {
        return without;
    }
    without.max(item.value + best_by_force(all, first + 1, capacity - item.weight))
}

fn knapsack(n: i64, capacity: i64) -> i64 {
    black_box(best_by_force(&items(12), 0, capacity));
    best(&items(n), capacity)
}

// crc32

fn crc32(bytes: &[u8]) -> u32 {
    let mut entries = [0u32; 256];
    for i in 0..256 {
        let mut c = i as u32;
        for _ in 0..8 {
            c = if c & 1 == 1 {
                0xedb8_8320 ^ (c >> 1)
            } else {
                c >> 1
            };
        }
        entries[i] = c;
    }
    let mut c = !0u32;
    for i in 0..bytes.len() {
        let slot = (c ^ u32::from(bytes[i])) & 0xff;
        c = entries[slot as usize] ^ (c >> 8);
    }
    !c
}

fn crc32_by_bits(bytes: &[u8]) -> u32 {
    let mut c = !0u32;
    for i in 0..bytes.len() {
        c ^= u32::from(bytes[i]);
        for _ in 0..8 {
            let mask = (c & 1).wrapping_neg();
            c = (c >> 1) ^ (0xedb8_8320 & mask);
        }
    }
    !c
}

fn crc32_main(n: i64) -> u32 {
    let mut bytes = vec![0u8; n as usize];
    for i in 0..n {
        bytes[i as usize] = ((i * 31 + 7) % 256) as u8;
    }
    black_box(crc32(&bytes) == crc32_by_bits(&bytes));
    crc32(&bytes)
}
