package version

// Number is the version of this module, the same as in the file VERSION at the root.
const Number = "1.0.0"
