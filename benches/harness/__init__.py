"""What benches/whole.py is made of."""
