// Package command implements the program parley. Run is the program without the
// process around it, so that tests run it as users do.
package command
