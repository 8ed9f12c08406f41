"""What checks, records and publishes the tutorial.

Files at the top are commands: `python3 ci/run_tutorial.py`. Files in a folder run as modules, from
the root of the project: `python3 -m ci.lessons.check_notebooks`.

- `lessons/`: the lessons' sources, their copies and checks
- `recorded/`: the recorded results, their figures and tables
- `book/`: pages and settings of the book
- `platforms/`: Colab, browsers, classrooms, Binder and Codespaces
- `bench/`: speed and faults
"""
