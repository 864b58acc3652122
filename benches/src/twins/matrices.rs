//! Products of matrices.

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

pub(super) fn spectral_norm(n: i64) -> f64 {
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

pub(super) fn matmul(n: i64) -> f64 {
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
