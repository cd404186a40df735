// Package ws makes transport links from WebSockets (RFC 6455). [Dialer] and
// [Upgrader] do the handshake, [Conn] is the link. It is the only package that
// imports github.com/gorilla/websocket.
//
// # Handshake
//
// The client offers subprotocols in its order of preference. The server picks
// the first of its own that was offered, before it upgrades. If there is none,
// it responds with HTTP 400, a text that lists what both sides speak, and the
// header Parley-Versions. The client checks the response. A subprotocol
// "parley.bearer.<credential>" is never picked, echoed or printed.
//
// A page of another origin is refused with HTTP 403, unless Upgrader.Origins
// admits it. So is a page that has used a name which is not the server's
// (Upgrader.Hosts). Extensions are not negotiated: compression belongs to a
// message, and permessage-deflate would keep its tables in memory per
// connection.
//
// # Reading and writing
//
// A text message, and a message over the read limit, end reading with a
// *transport.CloseError that has the code to close with. Broken framing ends it
// with a *transport.FramingError. In the last two cases the close frame may
// have been sent already. Any other error means that the link is lost, for
// example because the peer closed its socket without a close frame (RFC 6455
// calls that 1006).
//
// A proxy that shuts down may put a close frame into the middle of another
// frame, which makes that frame look complete. On a connection of the kernel,
// with or without TLS, Conn does not return such a message: the link is lost.
// To distinguish it from a message that only ends like that, Conn waits up to
// 100 ms for the end of the connection. It does not wait if the bytes after the
// frame cannot be those of such a close frame.
//
// WriteMessage blocks for as long as the peer does not read. Another goroutine
// answers the pings of the peer: reading never waits for writing.
//
// # Closing
//
// Close ends a link within one second, whatever the peer does:
//
//  1. NextReader returns net.ErrClosed at once.
//  2. Close sends the close frame, within 400 ms. If the peer closed first, the
//     frame has its code. If a WriteMessage is blocked, there is no room for
//     the frame: Close closes the socket, and WriteMessage returns
//     net.ErrClosed.
//  3. Close reads and drops what the peer still sends until the peer closes its
//     half of the connection, for 400 ms at most, and slowly if the peer has
//     broken the rules. A socket that is closed with unread bytes is reset, and
//     the reset may destroy the close frame on its way. Close closes its own half
//     when something has come from the peer, or after 100 ms: Firefox does not
//     tell a script that its WebSocket was open if the end follows the close
//     frame at once. A server that has received the peer's close frame as well
//     skips this step: the server closes TCP first.
//  4. Close closes the socket.
//
// The session decides on the code. This package sends a code of its own only
// for broken framing (1002) and for messages over the limit (1009).
//
// # Memory
//
// An idle connection holds read buffers of 0.5 KiB and no write buffer. Write
// buffers of 68 KiB come from a pool; a connection holds one while it writes,
// so a connection whose peer does not read holds one. docs/design/transport.md
// has the measurements.
//
// # Locks
//
// No two locks are held at once, and none while calling out. inbound.mu is held
// while waiting for the network; Close shuts the inbound before it takes it.
package ws
