import { readFileSync } from "node:fs";

/** Reads a file of docs/spec/vectors, which its README describes. */
export function vectors<T>(file: string): T[] {
  const cases = JSON.parse(readFileSync(new URL(`../../docs/spec/vectors/${file}.json`, import.meta.url), "utf8")) as T[];
  if (!cases.length) throw new Error(`${file} has no cases`);
  return cases;
}

export const unhex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
