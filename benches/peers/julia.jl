# What `pipeline`, `wide`, `hits` and `bench recompile` measure, in Julia: one JSON line each.
# Times include inference and code generation of what a first call needs. Answers are checked.

median(values) = sort(values)[cld(length(values), 2)]
figure(what, value, unit) = println("{\"julia\":\"$VERSION\",\"what\":\"$what\",\"value\":$(round(value, digits = 3)),\"unit\":\"$unit\"}")
ms(f, args...) = (t = time_ns(); r = Base.invokelatest(f, args...); ((time_ns() - t) / 1e6, r))

# Warm the compiler.
@eval warm(x) = x + 1
ms(warm, 1)

times = Float64[]
for k in 1:20
    f = Symbol(:small, k)
    @eval $f(x, y) = (a = x * $(k + 0.5) + y; b = a - x; a * b + 3.0)
    push!(times, ms(getfield(Main, f), 1.5, 2)[1])
end
figure("small function, first call", median(times) * 1e3, "us")

times = Float64[]
for k in 1:20
    f = Symbol(:nested, k)
    @eval function $f(n)
        s = 0.0
        c = $(float(k))
        i = 1
        while i <= n
            x = float(i) * 0.5 + c
            if i % 3 == 0
                s = s + x * x
            elseif i % 5 == 0
                s = s - x / float(i + 1)
            else
                s = s + sqrt(x)
            end
            j = 0
            while j < 4
                s = s + float(j) * x
                j = j + 1
            end
            i = i + 1
        end
        s
    end
    push!(times, ms(getfield(Main, f), 10)[1])
end
figure("nested loop, first call", median(times) * 1e3, "us")

# A chain of 1,000: its end is redefined, then the top is called.
function chain(name, n)
    @eval @noinline $(Symbol(name, 0))(x) = x * 3 + 1
    for i in 1:n
        @eval @noinline $(Symbol(name, i))(x) = $(Symbol(name, i - 1))(x) + $i
    end
    getfield(Main, Symbol(name, n))
end
body, type = Float64[], Float64[]
for round in 1:3
    name = "chain$(round)_"
    top = Base.invokelatest(chain, name, 1000)
    ms(top, 1)
    @eval @noinline $(Symbol(name, 0))(x) = x * 5 + 2
    t, r = ms(top, 1)
    @assert r == 7 + 500500
    push!(body, t)
    @eval @noinline $(Symbol(name, 0))(x) = x * 5.0 + 2
    push!(type, ms(top, 1)[1])
end
figure("chain of 1,000, body of its end", median(body), "ms")
figure("chain of 1,000, type of its end", median(type), "ms")

# One leaf with 1,000 callers under groups of ten.
function wide(name, n)
    @eval @noinline $(Symbol(name, :leaf))(x) = x + 0
    below = [Symbol(name, :c, i) for i in 1:n]
    for (i, c) in enumerate(below)
        @eval @noinline $c(x) = $(Symbol(name, :leaf))(x) + $i
    end
    level = 0
    while length(below) > 1
        above = Symbol[]
        for (i, group) in enumerate(Iterators.partition(below, 10))
            f = Symbol(name, :n, level, :_, i)
            sum = foldl((a, b) -> :($a + $b), [:($c(x)) for c in group])
            @eval @noinline $f(x) = $sum
            push!(above, f)
        end
        below = above
        level += 1
    end
    getfield(Main, below[1])
end
times = Float64[]
for round in 1:3
    name = "wide$(round)_"
    top = Base.invokelatest(wide, name, 1000)
    ms(top, 1)
    @eval @noinline $(Symbol(name, :leaf))(x) = x + 2
    push!(times, ms(top, 1)[1])
end
figure("one leaf with 1,000 callers", median(times), "ms")

# Run-time dispatch, with the loop around it.
for T in [:A1, :A2, :A3, :A4, :A5, :A6]
    @eval struct $T
        v::Int
    end
    @eval @noinline dd(a::$T) = a.v
end
function sums(xs::Vector{Any}, n)
    s = 0
    for i in 1:n
        s += dd(xs[(i & 511) + 1])::Int
    end
    s
end
for (what, xs) in [("one type", Any[A1(1) for _ in 1:512]), ("six types", Any[eval(Symbol(:A, i % 6 + 1))(1) for i in 1:512])]
    n = 4_000_000
    Base.invokelatest(sums, xs, 10)
    best = minimum((t = time_ns(); @assert Base.invokelatest(sums, xs, n) == n; (time_ns() - t) / n) for _ in 1:5)
    figure("run-time dispatch, $what", best, "ns")
end
