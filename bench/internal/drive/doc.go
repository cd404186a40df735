// Package drive drives the frameworks. It declares Target, and contains the
// Workloads, which are the same code for all targets. It also has the two
// processes of a measurement: the client's process starts the server's, makes
// the calls, and reports Figures.
package drive
