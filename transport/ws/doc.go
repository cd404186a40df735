// Package ws makes transport links of WebSockets (RFC 6455): [Dialer] and
// [Upgrader] do the handshake, [Conn] is the link. It is the only package that
// knows github.com/gorilla/websocket.
//
// # Handshake
//
// The client offers subprotocols in its order of preference, the server picks
// the first of its own that was offered. It checks before it upgrades: with
// nothing in common it answers HTTP 400, a text that lists what both sides speak,
// and the header Parley-Versions. The client checks the answer again. A
// subprotocol "parley.bearer.<credential>" is never picked, echoed or printed.
//
// A page of another origin is refused with HTTP 403, unless Upgrader.Origins
// lets it in, and so is one that has come by a name that is not the server's
// (Upgrader.Hosts). Extensions are not negotiated: compression belongs to a message,
// and permessage-deflate would keep its tables in memory per connection.
//
// # Reading and writing
//
// A text message and a message over the read limit end reading with a
// *transport.CloseError that has the code to close with, broken framing with a
// *transport.FramingError. In the last two cases the close frame may have been sent
// already. A link whose peer vanished without a close frame (RFC 6455 calls that 1006)
// is lost: any other error.
//
// A proxy that ends may put a close frame into the middle of another frame, so that it
// completes that one. On a connection of the kernel, with or without TLS, such a message
// is not read: the link is lost. To tell it from a message that only ends like
// that, the end of the connection is waited for, for 100 ms at the most. Where the
// bytes behind a frame cannot be those of such a close frame, nothing is waited for.
//
// WriteMessage blocks for as long as the peer does not read. Pings of the peer
// are answered beside it: reading never waits for writing.
//
// # Closing
//
// Close ends a link within one second, whatever the peer does:
//
//  1. NextReader returns net.ErrClosed at once.
//  2. The close frame is sent, within 400 ms. If the peer closed first, the frame
//     has its code. While a WriteMessage is blocked there is no room for the frame:
//     the socket is cut, and WriteMessage returns net.ErrClosed.
//  3. The sending half of the connection is closed, and what the peer still sends
//     is read and dropped until it closes its own half, for 400 ms at the most, and
//     slowly if it has broken the rules. A socket that is closed with something
//     unread is reset, and the reset may destroy the close frame on its way. A
//     server that has received the peer's close frame as well skips this step: the
//     server closes TCP first.
//  4. The socket is closed.
//
// The session above decides the code; this package sends a code of its own only
// for broken framing (1002) and for messages over the limit (1009).
//
// # Memory and speed
//
// An idle connection holds read buffers of 0.5 KiB and no write buffer. Where a server
// has it over TCP, with nothing between, it costs 3.7 KiB (BenchmarkIdleConnection, on 2
// cores of an AMD EPYC, with the goroutine that waits for the next message). Where the
// goroutine has to wait in Read, as with TLS, it is more, also by the size of the buffer
// that gorilla reads through:
//
//	read buffer           0.5 KiB  1 KiB  2 KiB  4 KiB
//	resident per server      5.1    5.4    5.9    8.3  KiB
//
// Speed does not depend on it measurably: what a caller reads into a larger
// buffer of its own goes past this one.
//
// Write buffers of 68 KiB come from a pool; a connection holds one while it
// writes, so one whose peer does not read holds one. A client copies all that it
// sends, because it masks it; larger messages become fragments of the buffer's
// size. A server copies up to a buffer, and the kernel takes the rest of a
// message in one part from the caller's slice. Processor time for a message, both
// ends together:
//
//	write buffer              16 KiB  68 KiB  128 KiB  256 KiB  512 KiB
//	client writes 64 KiB         94     100       91       92       95  µs
//	client writes 1 MiB         492     486      532      510      581  µs
//	server writes 64 KiB         67      70                             µs
//	server writes 1 MiB         259     263                             µs
//
// All of these are ties, so the buffer is as large as a session's batch: a batch
// is one frame and one system call. An echo of 100 bytes takes 16 µs, of 64 KiB
// 57 µs, with 5 allocations for the four reads and writes.
//
// Locks are not nested: each is held for one step of its own and none while
// calling out. inbound.mu is held while waiting for the network; Close shuts the
// inbound before it takes it.
package ws
