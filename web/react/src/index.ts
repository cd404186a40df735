/** React hooks for streaming calls. A call ends when its component unmounts. */
export type { CallState, FollowState } from "./call.js";
export { ParleyProvider, useConnection } from "./provider.js";
export { type Bidi, type BidiOptions, useBidi } from "./useBidi.js";
export { useConnectionState } from "./useConnectionState.js";
export { type UseFollowOptions, useFollow } from "./useFollow.js";
export { type StreamOptions, useStream } from "./useStream.js";
