// Package examples is empty. Its folders are programs to learn from:
//
//   - ping: a service with one method of each of the four kinds, a server and
//     a client
//   - reverse: a hub that calls the devices that have dialed it
//   - reverse/hubs: several such hubs, which NATS joins; a module of its own
//   - chat: rooms over the terminal and in the browser, in which a slow member
//     delays no other, on one server or several; `make chat`, and
//     `make chat NODES=3`
//   - validate: interceptors that validate messages; a module of its own
//   - unixsocket: calls over a Unix socket instead of a WebSocket
//   - demo: all of that in one run, checked step by step; `make demo`
//
// Its tests compile and run the code that README.md and docs/guide.md show.
package examples
