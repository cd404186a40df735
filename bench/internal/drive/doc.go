// Package drive drives the frameworks: it declares what a Target has to do, has
// the Workloads that are run against each of them, by the same code, and the
// two processes of a measurement. The client's process starts the server's,
// makes the calls, and reports Figures.
package drive
