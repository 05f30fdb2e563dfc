"""What tests compare with: closed forms, quadrature, enumeration, and the worlds around a program."""
