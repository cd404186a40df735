import { far } from "./transfer.js";

Object.assign(globalThis, { far: far(location.origin) });
