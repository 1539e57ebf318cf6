package version

// Number is the version of this module, as the file VERSION at the root has it.
const Number = "1.0.0"
