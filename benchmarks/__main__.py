"""Everything that is measured, one table after the other: `python -m benchmarks`."""

from benchmarks import finishing, overhead

if __name__ == "__main__":
    overhead.main()
    print()
    finishing.main()
