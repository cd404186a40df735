// Package drive drives the frameworks: it declares Target, contains the
// Workloads, which are the same code for all targets, and the two processes of
// a measurement. The client's process starts the server's, makes the calls, and
// reports Figures.
package drive
