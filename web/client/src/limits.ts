// The limits and times that this client sets itself. Sizes are in bytes, times in milliseconds. This module imports nothing, so
// that a bundler can replace the names by the numbers.

// Links.

/** The longest wait for the peer's close frame. */
export const CLOSE_TIMEOUT = 1_000;
/** How long to find out why the first WebSocket could not be opened. */
export const DIAGNOSE_TIMEOUT = 3_000;
export const HELLO_TIMEOUT = 10_000;
export const PONG_TIMEOUT = 10_000;
/** How long the peer has to answer a probe. */
export const WAKE_TIMEOUT = 5_000;
/** A measurement of the round trip that is older than this is repeated. */
export const MAX_MEASUREMENT_AGE = 10_000;

// Sessions.

/** How long an idle session leaves the close to the peer. */
export const IDLE_CLOSE_TIMEOUT = 1_000;
/**
 * A shorter link counts as a flap. The first two flaps in a row are replaced at once, later ones after a delay.
 */
export const SHORT_LINK = 250;
/** How many refusals in a row are retried before they count as a failure, and how long those retries may wait in all. */
export const MAX_REFUSALS = 4;
export const MAX_REFUSAL_WAIT = 2_500;
/** A session that drains sooner counts as a failure. */
export const MIN_SESSION_AGE = 1_000;
/** How long a server has to resume a session before new calls try another server. */
export const FAILOVER_DELAY = 1_000;
/**
 * The most bytes of RESET frames for the peer's streams that may wait to be sent, besides 64 for each stream that the peer may
 * open.
 */
export const MAX_RESET_BYTES = 64 << 10;

// What arrives.

/** Half of the delay that the protocol allows for an acknowledgement: hidden pages run timers late. */
export const ACK_DELAY = 500;
/** So many bytes are acknowledged soon, because the peer measures by that what the path can carry. */
export const BULK_ACK_BYTES = 8 << 10;
export const BULK_ACK_DELAY = 5;
/** So many bytes, or a quarter of what the peer keeps, are acknowledged at once. */
export const MAX_UNACKED_BYTES = 64 << 10;
/** Pieces of a message up to this size are merged. */
export const SMALL_PIECE = 1024;

// What is sent.

/** A link message with so many bytes is full. */
export const BATCH = 32 << 10;
/** Small frames of streams that have no larger ones waiting go first. */
export const MAX_LIGHT_FRAME = 4 << 10;
/** Nothing is written while so many bytes wait in the WebSocket, which is checked at this interval. */
export const HIGH_WATER = 128 << 10;
export const POLL_INTERVAL = 4;
export const WRITE_TIMEOUT = 30_000;

// The path.

/** The lowest limit of what is in flight. Peers acknowledge so much at once. */
export const MIN_IN_FLIGHT = 64 << 10;
/** The highest limit, as a multiple of the one on a new link. */
export const MAX_GROWTH = 16;

// Calls.

/** The most pairs of metadata in a block. */
export const MAX_PAIRS = 256;
/** How many times a call that the server has not processed is sent again. */
export const MAX_RETRANSMITS = 4;
