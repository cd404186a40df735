// Package transport carries many streams of messages over one message
// connection. It is what package rpc stands on, and useful without it. The
// protocol is parley.v1 (docs/spec/PROTOCOL.md).
//
// A [Session] is one end of a connection. [NewSession] makes one of any [Link]: a
// WebSocket (package transport/ws), a pipe in memory (package transport/pipe), or
// one of your own, which needs three methods. The session owns the link from then on.
//
// Both ends of a session open streams ([Session.Open]) and accept those of the
// other ([Session.Accept], or [Config].OnStream, which saves a goroutine's turn).
// A [Stream] has two directions, which end independently:
//
//   - [Stream.Send] queues a message, which keeps its boundaries, of any size that
//     the peer accepts. It blocks while the peer gives no credit.
//   - [Stream.CloseSend], or Send with [SendOptions].End, ends the direction. What
//     was sent before arrives; then the peer's [Stream.Recv] returns [io.EOF].
//   - [Stream.Reset] abandons both directions with a code and a reason.
//   - [Stream.Close] must be called when a stream is no longer used, however it ended:
//     it frees what the stream holds, and resets what has not ended.
//
// Headers and trailers (of Open, SendHeader and CloseSend) are bytes that belong to the
// application, and so is the mark of a message. Contexts are per call: one that ends
// never harms the session, nor a message that is being received.
//
// A session ends by [Session.Close], when the peer closes or breaks the rules, and when
// the link is lost or the peer falls silent. All its streams end with it; what has arrived
// can still be read. [Session.Err] says why, with the close code of the link in a
// [*CloseError].
//
// To end a session without harm, an acceptor calls [Session.Drain] and then Close. Drain
// announces first that the acceptor goes away ([Session.Announce]), serves what comes until the
// dialer has moved to another session, and only then refuses streams ([Session.GoAway]). A
// dialer calls [Session.Shutdown].
//
// # Errors
//
// A stream that was abandoned returns what has ended it: a [*ResetError], the session's
// *CloseError, or [ErrStreamClosed] after its own Close. A message or header that the peer
// would not accept is a [*LimitError], and nothing of it was sent. ErrDraining and a
// ResetError with [ResetRefused] say that the peer's application has not seen the stream.
//
// # Goroutines
//
// A session has one that reads the link, and one that writes to it while there is
// something to write (Config.Go). They end with the session, and Close waits for them.
// The reading one never waits for an application or for the writing one. OnStream, OnEnd
// and what OnAbort was given may run on it. A timer looks after HELLO and the keepalive.
//
// Where there is only one stream, and its messages alternate, whoever sends one writes it to
// the link by itself, as long as the peer has acknowledged all but 64 KiB: so little the
// kernel takes without waiting. Then OnDetached and OnEnd may run there.
//
// A link that was lost, or that a newer one has replaced, may have a goroutine for a
// second, which closes it. Close waits for that too.
//
// # Locks
//
// In this order, and no other two at once:
//
//	Sessions.mu -> Session.mu -> sendHalf.mu
//	Sessions.mu -> outbox.mu
//	Session.mu -> outbox.mu
//	Session.acking -> outbox.mu
//	outbox.mu -> what Config.Go takes
//	Session.mu -> recvHalf.mu -> assembly.mu
//
// Otherwise Stream.mu is taken alone. No mutex of these is held while calling an
// application (except Config.Go, which must not block) or the link, or while waiting.
//
// Session.resuming comes before all of them, and is another kind of lock. It guards no
// data: it is the turn of one link to take the session over. Its holder writes to the
// link, waits for the peer's answer and for the goroutines of the older link, and calls
// OnDetached, OnResumed, OnEnd, and the functions given to Resume. Only another link that is
// to take over the same session waits for it. So nothing that is called there may call
// Resume for the session, or wait for something that does.
//
// # Memory
//
// With its Parameters, and O streams that this end has opened, a session holds at
// most (in bytes)
//
//	MaxBuffered + (MaxStreams + O) * InitialWindow    messages that nobody has read yet
//	MaxReassembly + MaxMessage                        messages of several frames that are put together
//	(2*MaxStreams + O) * 64 KiB                       messages of one frame that are being received
//	(4*MaxStreams + 2*O) * MaxHeader                  headers and trailers
//	WriteQueue + 64 KiB                               frames that wait, and those at the link
//	64 KiB + 64*(MaxStreams + O)                      frames that go ahead of them
//	65 KiB                                            the message of the link that is arriving
//	600 KiB                                           streams that are kept to be used again
//
// Parameters.ReassemblyBudget bounds, for several sessions together, what the second
// line has beyond MaxMessage + 1 MiB for each. Memory of a Recv's own buffer does not count.
//
// The first line counts MaxStreams twice, once in MaxBuffered: a stream that has ended on
// the wire may still be in use, and as many as that are, before new ones are refused.
// Unread messages lie in buffers that are at least half full but for the first and the
// last of a stream, of 64 KiB at the most each. An idle session holds none of this: some
// KiB for itself and its goroutines.
package transport
