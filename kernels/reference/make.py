"""Launches of every kernel with what they must give, computed apart from worldage.

Run in this folder; writes one JSON file per launch. `expected` holds the arguments afterwards;
`ulp` is how many units in the last place an engine may be away from these values (0: none).
"""

import json
import math
import random
import struct


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def arg(name, ty, value):
    return {"name": name, "type": ty, "value": value}


def write(name, file, kernel, size, local, args, expected, ulp=0):
    launch = {"file": file, "kernel": kernel, "global_size": size, "local_size": local}
    launch |= {"args": args, "expected": expected, "ulp": ulp}
    with open(name + ".json", "w") as out:
        json.dump(launch, out)
        out.write("\n")


def floats(rng, n, low=-1.0, high=1.0, single=True):
    xs = [rng.uniform(low, high) for _ in range(n)]
    return [f32(x) for x in xs] if single else xs


F32, F64 = "Array{Float32}", "Array{Float64}"


def vector_add(rng):
    x, y = floats(rng, 500), floats(rng, 500)
    out = [f32(a + b) for a, b in zip(x, y)]
    args = [arg("x", F32, x), arg("y", F32, y), arg("out", F32, [0.0] * 500)]
    write("vector_add", "vector_add.wir", "vector_add", [512], [64], args, {"out": out})


def saxpy(rng):
    x, y = floats(rng, 320), floats(rng, 320)
    out = [f32(f32(1.5 * a) + b) for a, b in zip(x, y)]
    args = [arg("a", "Float32", 1.5), arg("x", F32, x), arg("y", F32, y)]
    write("saxpy", "saxpy.wir", "saxpy", [320], [64], args, {"y": out})


def tree(values, combine):
    values = list(values)
    half = len(values) // 2
    while half > 0:
        for i in range(half):
            values[i] = combine(values[i], values[i + half])
        half //= 2
    return values[0]


def dot_product(rng):
    n, groups, local = 1000, 4, 64
    x, y = floats(rng, n, single=False), floats(rng, n, single=False)
    parts = []
    for g in range(groups):
        sums = []
        for item in range(local):
            total = 0.0
            for i in range(g * local + item, n, groups * local):
                total += x[i] * y[i]
            sums.append(total)
        parts.append(tree(sums, lambda a, b: a + b))
    args = [arg("x", F64, x), arg("y", F64, y), arg("parts", F64, [0.0] * groups)]
    write("dot_product", "dot_product.wir", "dot_product", [groups * local], [local], args, {"parts": parts})


def reduction(rng):
    x = [rng.randrange(-(10**12), 10**12) for _ in range(256)]
    args = [arg("x", "Array{Int64}", x), arg("sum", "Array{Int64}", [0])]
    args.append(arg("largest", "Array{Int64}", [-(2**63)]))
    expected = {"sum": [sum(x)], "largest": [max(x)]}
    write("reduction", "reduction.wir", "reduction", [256], ["block"], args, expected)


def scan(rng):
    ints = "Array{Int32}"
    x = [rng.randrange(-1000, 1000) for _ in range(256)]
    out = [sum(x[i - i % 64 : i + 1]) for i in range(256)]
    totals = [sum(x[g * 64 : g * 64 + 64]) for g in range(4)]
    args = [arg("x", ints, x), arg("out", ints, [0] * 256), arg("totals", ints, [0] * 4)]
    write("scan", "scan.wir", "scan", [256], [64], args, {"out": out, "totals": totals})
    args = [arg("sums", ints, out), arg("totals", ints, totals)]
    sums = [sum(x[: i + 1]) for i in range(256)]
    write("add_totals", "scan.wir", "add_totals", [256], [64], args, {"sums": sums})


def histogram(rng):
    x = [min(255, int(abs(rng.gauss(0, 60)))) for _ in range(1000)]
    counts = [x.count(bin) for bin in range(256)]
    args = [arg("x", "Array{UInt8}", x), arg("counts", "Array{Int32}", [0] * 256)]
    write("histogram", "histogram.wir", "histogram", [256], [64], args, {"counts": counts})


def stencil(rng):
    width, height, rate = 20, 13, 0.2
    old = floats(rng, width * height, 0, 100, single=False)
    new = list(old)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            at = y * width + x
            around = old[at - 1] + old[at + 1] + old[at - width] + old[at + width]
            new[at] = old[at] + rate * (around - 4.0 * old[at])
    args = [arg("old", F64, old), arg("new", F64, [0.0] * len(old)), arg("width", "Int64", width)]
    args += [arg("height", "Int64", height), arg("rate", "Float64", rate)]
    write("stencil", "stencil.wir", "stencil", [24, 16], [8, 8], args, {"new": new})


def matmul(rng):
    n = 16
    a, b = floats(rng, n * n), floats(rng, n * n)
    c = []
    for row in range(n):
        for col in range(n):
            total = 0.0
            for k in range(n):
                total = f32(total + f32(a[row * n + k] * b[k * n + col]))
            c.append(total)
    args = [arg("a", F32, a), arg("b", F32, b), arg("c", F32, [0.0] * (n * n)), arg("n", "Int64", n)]
    write("matmul", "matmul.wir", "matmul", [n, n], [8, 8], args, {"c": c})


def nbody(rng):
    n, dt = 20, 0.01
    p, v = floats(rng, 3 * n, single=False), floats(rng, 3 * n, single=False)
    mass = floats(rng, n, 0.1, 1.0, single=False)
    velocity, moved = [], []
    for i in range(n):
        force = [0.0] * 3
        for j in range(n):
            d = [p[3 * j + k] - p[3 * i + k] for k in range(3)]
            square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 0.01
            factor = mass[j] / (square * math.sqrt(square))
            force = [f + factor * x for f, x in zip(force, d)]
        new = [v[3 * i + k] + dt * force[k] for k in range(3)]
        velocity += new
        moved += [p[3 * i + k] + dt * new[k] for k in range(3)]
    args = [arg("position", F64, p), arg("velocity", F64, v), arg("mass", F64, mass)]
    args += [arg("moved", F64, [0.0] * (3 * n)), arg("dt", "Float64", dt)]
    expected = {"velocity": velocity, "moved": moved}
    write("nbody", "nbody.wir", "nbody", [32], [16], args, expected)


def mandelbrot(_):
    width, height, limit = 32, 24, 60
    left, top, step = -2.2, 1.2, 0.1
    out = []
    for py in range(height):
        for px in range(width):
            cx, cy, x, y, n = left + step * px, top - step * py, 0.0, 0.0, 0
            while n < limit and x * x + y * y <= 4.0:
                x, y, n = x * x - y * y + cx, 2.0 * x * y + cy, n + 1
            out.append(n)
    args = [arg("left", "Float64", left), arg("top", "Float64", top), arg("step", "Float64", step)]
    args += [arg("limit", "Int32", limit), arg("out", "Array{Int32}", [0] * (width * height))]
    write("mandelbrot", "mandelbrot.wir", "mandelbrot", [width, height], [8, 8], args, {"out": out})


def black_scholes(rng):
    def normal(d):
        return 0.5 * math.erfc(-d / math.sqrt(2.0))

    n, rate, volatility = 100, 0.02, 0.3
    price = floats(rng, n, 5, 30, single=False)
    strike = floats(rng, n, 5, 40, single=False)
    years = floats(rng, n, 0.25, 10, single=False)
    call, put = [], []
    for s, x, t in zip(price, strike, years):
        root = volatility * math.sqrt(t)
        d1 = (math.log(s / x) + (rate + 0.5 * volatility * volatility) * t) / root
        d2 = d1 - root
        worth = x * math.exp(-rate * t)
        call.append(s * normal(d1) - worth * normal(d2))
        put.append(worth * normal(-d2) - s * normal(-d1))
    args = [arg("price", F64, price), arg("strike", F64, strike), arg("years", F64, years)]
    args += [arg("rate", "Float64", rate), arg("volatility", "Float64", volatility)]
    args += [arg("call", F64, [0.0] * n), arg("put", F64, [0.0] * n)]
    expected = {"call": call, "put": put}
    write("black_scholes", "black_scholes.wir", "black_scholes", [128], [32], args, expected, 4)
    # The kernel's normal distribution is an approximation: good to 1e-5 here, not to the last bit.
    launch = json.load(open("black_scholes.json")) | {"within": 1e-5}
    with open("black_scholes.json", "w") as out:
        json.dump(launch, out)
        out.write("\n")


def softmax(rng):
    rows, columns = 6, 50
    x = floats(rng, rows * columns, -5, 5)
    out = []
    for r in range(rows):
        row = x[r * columns : (r + 1) * columns]
        exps = [math.exp(v - max(row)) for v in row]
        out += [f32(e / math.fsum(exps)) for e in exps]
    args = [arg("x", F32, x), arg("out", F32, [0.0] * len(x)), arg("columns", "Int64", columns)]
    write("softmax", "softmax.wir", "softmax", [rows * 32], [32], args, {"out": out}, 4)
    launch = json.load(open("softmax.json")) | {"within": 1e-6}
    with open("softmax.json", "w") as out_file:
        json.dump(launch, out_file)
        out_file.write("\n")


def blur(rng):
    width, height = 20, 12
    plane = floats(rng, width * height)
    out = list(plane)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            total = 0.0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    total = f32(total + plane[(y + dy) * width + x + dx])
            out[y * width + x] = f32(total / 9)
    args = [arg("from", F32, plane), arg("to", F32, [0.0] * len(plane))]
    args += [arg("width", "Int32", width), arg("height", "Int32", height)]
    write("blur", "blur.cl", "blur", [24, 12], [8, 4], args, {"to": out})


def convolve_rows(rng):
    width, height, reach = 24, 6, 2
    # Sums and products of these are exact, so it does not matter what a driver fuses.
    plane = [float(rng.randint(-64, 64)) for _ in range(width * height)]
    weights = [0.25, 0.5, 1.0, 0.5, 0.25]
    out = []
    for y in range(height):
        row = plane[y * width : (y + 1) * width]
        for x in range(width):
            near = [min(max(x + d, 0), width - 1) for d in range(-reach, reach + 1)]
            out.append(sum(w * row[at] for w, at in zip(weights, near)))
    args = [arg("from", F32, plane), arg("weights", F32, weights)]
    args += [arg("to", F32, [0.0] * len(plane))]
    args += [arg("width", "Int32", width), arg("reach", "Int32", reach)]
    write("convolve_rows", "filter.cl", "convolve_rows", [24, 6], [8, 1], args, {"to": out})


def transpose(rng):
    width, height = 16, 24
    plane = floats(rng, width * height)
    out = [plane[y * width + x] for x in range(width) for y in range(height)]
    args = [arg("from", F32, plane), arg("to", F32, [0.0] * len(plane))]
    args += [arg("width", "Int32", width), arg("height", "Int32", height)]
    write("transpose", "filter.cl", "transpose", [16, 24], [8, 8], args, {"to": out})


for number, make in enumerate([vector_add, saxpy, dot_product, reduction, scan, histogram, stencil,
                               matmul, nbody, mandelbrot, black_scholes, softmax, blur, convolve_rows,
                               transpose]):
    make(random.Random(number))
