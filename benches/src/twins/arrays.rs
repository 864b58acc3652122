//! Loops over arrays of integers.

use std::hint::black_box;

pub(super) fn count_primes(n: i64) -> i64 {
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

pub(super) fn heapsort_main(n: i64) -> i64 {
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

pub(super) fn floyd_warshall(n: i64) -> i64 {
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

pub(super) fn levenshtein(n: i64) -> i64 {
    let generated = |n: i64, factor: i64| -> Vec<i64> { (0..n).map(|i| i * factor % 5).collect() };
    distance(&generated(n, 3), &generated(n + 2, 7))
}

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

pub(super) fn crc32_main(n: i64) -> u32 {
    let mut bytes = vec![0u8; n as usize];
    for i in 0..n {
        bytes[i as usize] = ((i * 31 + 7) % 256) as u8;
    }
    black_box(crc32(&bytes) == crc32_by_bits(&bytes));
    crc32(&bytes)
}
