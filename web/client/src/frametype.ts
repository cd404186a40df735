// The numbers of PROTOCOL.md, sections 4, 11.5 and 12.2. This module imports nothing, so that a bundler can replace the names by the
// numbers.

// Frame types.
export const HELLO = 1;
export const OPEN = 2;
export const HEADER = 3;
export const DATA = 4;
export const END = 5;
export const RESET = 6;
export const WINDOW = 7;
export const ACK = 8;
export const PING = 9;
export const PONG = 10;
export const GOAWAY = 11;

export const FLAG_END = 0x10;
export const FLAG_MORE = 0x20;
export const FLAG_MARK = 0x40;
export const IGNORABLE = 0x80;

/** A frame must start within so many bytes of a link message. Version 0.1 may start one 16 bytes later. */
export const MAX_FRAME_START = 65_536;

/** The most bytes of a link message beyond the receiver's max_frame: the last frame may start so late. */
export const MAX_OVERHEAD = MAX_FRAME_START + 16;

/** The key of metadata in the blocks of calls. */
export const METADATA = 9;

// RESET codes.
export const CANCEL = 1;
export const REFUSED = 2;
export const LIMIT = 3;
export const PROTOCOL = 4;
/** Added to a status code. */
export const APPLICATION = 256;
