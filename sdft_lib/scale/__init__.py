"""What fits where: hardware, memory, published results (lesson 10)."""
