"""The notebook side: public functions, displays, comm, widget."""
