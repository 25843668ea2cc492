"""Tools for who works on this repository: none of them is needed to run the program."""
