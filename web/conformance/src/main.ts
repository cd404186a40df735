// The TypeScript client under the conformance kit: it does what the lines of its standard input say, and reports on its
// standard output. docs/conformance.md describes both.

import { createInterface } from "node:readline";
import { drive } from "./driver.js";
import { reportTo } from "./report.js";

reportTo((line) => process.stdout.write(`${line}\n`));
await drive("parley-ts", createInterface({ input: process.stdin }));
process.exit();
