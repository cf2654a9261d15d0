"""Everything that is measured, one table after the other: `python -m benchmarks`."""

from benchmarks import finishing, interpolation, overhead, scoring, sequential

if __name__ == "__main__":
    for benchmark in (overhead, finishing, interpolation, scoring, sequential):
        print(benchmark.__doc__.splitlines()[0] if benchmark.__doc__ else "")
        benchmark.main()
        print()
