//! Trying all: permutations, queens, knapsacks.

use std::hint::black_box;

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

pub(super) fn fannkuch(n: i64) -> (i64, i64) {
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

pub(super) fn queens(n: i64) -> i64 {
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

pub(super) fn queens_bits(n: i64) -> i64 {
    place_bits((1 << n) - 1, 0, 0, 0)
}

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

pub(super) fn knapsack(n: i64, capacity: i64) -> i64 {
    black_box(best_by_force(&items(12), 0, capacity));
    best(&items(n), capacity)
}
