// Package examples has nothing of its own. Below it are programs to learn from:
//
//   - ping: a service with one method of each of the four kinds, a server and
//     a client
//   - reverse: a hub that calls the devices that have dialed it
//   - chat: rooms over the terminal and in the browser, in which a slow member
//     delays no other; `make chat`
//   - demo: all of that in one run, checked step by step; `make demo`
//
// Its tests keep README.md and docs/guide.md true: what they show is compiled
// and run.
package examples
