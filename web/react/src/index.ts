/** React hooks for streaming calls. Each call ends with the component that makes it. */
export type { CallState, FollowState } from "./call.js";
export { ParleyProvider, useConnection } from "./provider.js";
export { type Bidi, type BidiOptions, useBidi } from "./useBidi.js";
export { useConnectionState } from "./useConnectionState.js";
export { type UseFollowOptions, useFollow } from "./useFollow.js";
export { type StreamOptions, useStream } from "./useStream.js";
