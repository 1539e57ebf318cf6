package client

// version is that of this module, as the file VERSION at its root has it.
const version = "1.0.0"
