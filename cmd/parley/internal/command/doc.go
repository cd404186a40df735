// Package command is what the program parley does. Run is the program, but for the
// process around it, so that tests run it as users do.
package command
