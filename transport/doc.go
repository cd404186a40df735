// Package transport carries many streams of messages over one message
// connection. Package rpc is built on it. The protocol is parley.v1
// (docs/spec/PROTOCOL.md).
//
// A [Session] is one end of a connection. [NewSession] makes one from any
// [Link]: a WebSocket (package transport/ws), a pipe in memory (package
// transport/pipe), or your own, which needs three methods. The session owns the
// link from then on.
//
// Both ends of a session open streams ([Session.Open]) and accept those of the
// peer ([Session.Accept], or [Config].OnStream, which needs no goroutine that
// waits). A [Stream] has two directions, which end independently:
//
//   - [Stream.Send] queues a message, which keeps its boundaries, of any size
//     that the peer accepts. It blocks while the peer gives no credit.
//   - [Stream.CloseSend], or Send with [SendOptions].End, ends the direction.
//     What was sent before arrives; then the peer's [Stream.Recv] returns
//     [io.EOF].
//   - [Stream.Reset] abandons both directions with a code and a reason.
//   - [Stream.Close] must be called when a stream is no longer used, however it
//     ended. It frees what the stream holds, and resets what has not ended.
//
// Headers and trailers (of Open, SendHeader and CloseSend) and the mark of a
// message belong to the application. A context bounds one call: when it ends,
// it harms neither the session nor a message that is being received.
//
// A session ends by [Session.Close], when the peer closes or breaks the rules,
// or when the link is lost or the peer is silent. All its streams end with it.
// What has arrived can still be read. [Session.Err] returns the reason, a
// [*CloseError] with the close code of the link.
//
// To end a session without harm, an acceptor calls [Session.Drain] and then
// Close. Drain announces that the acceptor goes away ([Session.Announce]) and
// serves streams until the dialer has moved to another session. Only then it
// refuses streams ([Session.GoAway]). A dialer calls [Session.Shutdown].
//
// # Errors
//
// An abandoned stream returns the reason: a [*ResetError], the session's
// *CloseError, or [ErrStreamClosed] after its own Close. A message or header
// that the peer does not accept is a [*LimitError], and nothing of it was sent.
// ErrDraining, and a ResetError with [ResetRefused], say that the peer's
// application has not seen the stream.
//
// # Goroutines
//
// A session has a reader goroutine, and a writer goroutine while there is
// something to write (Config.Go). They end with the session, and Close waits
// for them. The reader never waits for the application or for the writer.
// OnStream, NewRequest, a Request's methods, OnEnd and the function registered
// by OnAbort may run on it. A timer supervises HELLO and the keepalive.
//
// On the only stream of a session whose messages alternate, the caller of Send
// writes its message to the link itself, as long as the peer has acknowledged
// all but 64 KiB: the kernel takes that much without blocking. OnDetached and
// OnEnd may run there too. If the link is an [AwaitableLink], the caller of Recv
// reads it as well, until it has its message: what may run on the reader may run
// there. The reader waits meanwhile.
//
// A link that was lost or replaced may have a goroutine for a second, which
// closes it. Close waits for that too.
//
// # Locks
//
// Locks are taken in this order, and no other two at once:
//
//	Sessions.mu -> Session.mu -> sendHalf.mu
//	Sessions.mu -> outbox.mu
//	Session.mu -> outbox.mu
//	acks.mu -> outbox.mu
//	outbox.mu -> what Config.Go takes
//	Session.mu -> recvHalf.mu -> assembly.mu
//
// Otherwise Stream.mu and readLease.mu are taken alone. None of them is held
// while the session calls the application (except Config.Go, which must not
// block) or the link (except AwaitableLink.Interrupt, which must not block
// either), or waits.
//
// Session.resuming comes before all of them, and is another kind of lock. It
// guards no data: it is the turn of one link to take the session over. Its
// holder writes to the link, waits for the peer's answer and for the goroutines
// of the older link, and calls OnDetached, OnResumed, OnEnd, and the functions
// passed to Resume. Only another link that is to take over the same session
// waits for it. So what is called there must not call Resume for the session,
// nor wait for something that does.
//
// # Memory
//
// With its Parameters, and O streams that this end has opened, a session holds
// at most (in bytes)
//
//	MaxBuffered + (MaxStreams + O) * InitialWindow    messages that were not read
//	MaxReassembly + MaxMessage                        messages of several frames that are put together
//	(2*MaxStreams + O) * 64 KiB                       messages of one frame that are being received
//	(4*MaxStreams + 2*O) * MaxHeader                  headers and trailers
//	WriteQueue + 96 KiB                               frames that wait, and those at the link
//	64 KiB + 64*(MaxStreams + O)                      urgent frames
//	96 KiB                                            the message of the link that is arriving, and a list of its frames
//	600 KiB                                           streams that are kept for reuse
//
// Parameters.ReassemblyBudget bounds, for several sessions together, what the
// second line has beyond MaxMessage + 1 MiB for each. The buffer that the
// caller passes to Recv does not count.
//
// A session that can be resumed also keeps the frames that the peer has not
// acknowledged: ReplayLimit bytes in any case, as much as the network path
// holds beyond that, and MaxReplay at most. Parameters.ReplayBudget bounds, for
// several sessions together, what they keep beyond the ReplayLimit of each.
// RESET and GOAWAY are still queued then: up to twice as much, and one frame.
//
// The first line counts MaxStreams twice, once in MaxBuffered: a stream that
// has ended on the wire may still be in use, and as many as that are admitted
// before new ones are refused. Unread messages are in buffers that are at least
// half full, except for the first and the last of a stream, of 64 KiB at most
// each. An idle session holds none of this: some KiB for itself and its
// goroutines.
package transport
