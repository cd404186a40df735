import { encodeFields, type Field, lookup, parseFields } from "./fields.js";
import { MAX_VALUE as MAX, RuleError, utf8 } from "./varint.js";

/** What an end announces in HELLO (PROTOCOL.md, section 5.1). Sizes are in bytes, times in milliseconds. */
export interface Settings {
  maxFrame: number;
  maxMessage: number;
  maxHeader: number;
  maxStreams: number;
  initialWindow: number;
  keepalive: number;
  resumeWindow: number;
  replayLimit: number;
}

// Name, key, protocol default, minimum, maximum, default of this client.
const table: readonly (readonly [keyof Settings, number, number, number, number, number])[] = [
  ["maxFrame", 2, 16_384, 16_384, 1_048_576, 65_536],
  ["maxMessage", 4, 65_536, 65_536, MAX, 4 << 20],
  ["maxHeader", 6, 4_096, 4_096, 1_048_576, 16_384],
  ["maxStreams", 8, 16, 16, MAX, 100],
  ["initialWindow", 10, 16_384, 16_384, MAX, 65_536],
  ["keepalive", 12, 25_000, 1_000, 25_000, 15_000],
  ["resumeWindow", 14, 0, 0, MAX, 30_000],
  ["replayLimit", 16, 65_536, 65_536, MAX, 1 << 20],
];

const column = (i: 2 | 5): Settings => Object.fromEntries(table.map((row) => [row[0], row[i]])) as unknown as Settings;

/** The settings of a peer until its HELLO arrives. */
export const protocolDefaults = (): Settings => column(2);

/** The settings that this client announces by default. */
export const clientDefaults = (): Settings => column(5);

/** Returns the first rule that the settings break, and why; undefined if they are valid. */
export function checkSettings(s: Settings): [rule: string, how: string] | undefined {
  for (const [name, , , floor, max] of table) {
    if (!(Number.isInteger(s[name]) && s[name] >= floor && s[name] <= max))
      return ["N3", `${name} is not from ${floor} to ${max}`];
  }
  return s.maxHeader > s.maxFrame ? ["N4", "maxHeader is above maxFrame"] : undefined;
}

export interface Hello {
  settings: Settings;
  session: Uint8Array | undefined;
  token: Uint8Array | undefined;
  received: number;
  resumed: number | undefined;
}

const keys = [1, 3, 5, 18, 20, 22, ...table.map((row) => row[1])];

/** Parses and checks the HELLO of an acceptor. */
export function parseHello(payload: Uint8Array): Hello {
  if (payload.length > 4096) throw new RuleError("F14");
  const get = lookup(parseFields(payload, keys));
  const settings = protocolDefaults();
  for (const [name, key] of table) settings[name] = (get(key) as number | undefined) ?? settings[name];
  const violation = checkSettings(settings);
  if (violation) throw new RuleError(violation[0]);
  const session = get(1) as Uint8Array | undefined;
  const token = get(3) as Uint8Array | undefined;
  const agent = get(5) as Uint8Array | undefined;
  const resumed = get(20) as number | undefined;
  const out = (bytes: Uint8Array | undefined, floor: number, max: number) =>
    bytes && (bytes.length < floor || bytes.length > max);
  if (out(session, 16, 64) || out(token, 32, 32) || out(agent, 0, 128)) throw new RuleError("N5");
  if (resumed! > 1) throw new RuleError("N3");
  if (!session !== !token || (resumed && !session)) throw new RuleError("N6");
  return { settings, session, token, received: (get(18) as number) ?? 0, resumed };
}

/** What a dialer sends to resume a session. */
export interface Resume {
  session: Uint8Array;
  token: Uint8Array;
  received: number;
  attempt: number;
}

/** Identifies a lost session. */
export interface SessionRef {
  session: Uint8Array;
  token: Uint8Array;
}

export function encodeHello(s: Settings, resume?: Resume, replaces?: SessionRef): Uint8Array {
  const fields: Field[] = [];
  for (const [name, key, standard] of table) if (s[name] !== standard) fields.push([key, s[name]]);
  if (resume) fields.push([1, resume.session], [3, resume.token], [18, resume.received], [22, resume.attempt]);
  else if (replaces) fields.push([7, replaces.session], [9, replaces.token]);
  fields.push([5, utf8("parley-web/0.1.0")]);
  return encodeFields(fields);
}
