import { type EngineName, engineNames } from "../../testing/engines/index.js";
import { titles } from "./browser.js";
import { type Lane, lanes, stalls } from "./lane.js";
import type { Figure, Results, Rounds } from "./results.js";
import { number, type Summary, summarize } from "./summary.js";
import { named, targets } from "./target.js";
import { workloads } from "./workload.js";

/** The library that the others are compared with, over the same kind of connection. */
const reference = "connect-web";

/** The required lead of parley over the reference, in Chromium. */
const bars = [
  { workload: "unary-64", least: 3 },
  { workload: "stream", least: 2 },
  { workload: "stream-64k", least: 1 },
];

/** Returns the text of docs/benchmarks-browser.md. */
export function report(r: Results): string {
  const measured = engineNames.flatMap((name) => (r.engines[name] ? [{ name, rounds: r.engines[name] }] : []));
  return [
    introduction(r, measured),
    reached(r),
    ...measured.map(overview),
    bytes(measured),
    refused(r),
    copied(r),
    ...measured.map(everything),
  ].join("\n");
}

const row = (...cells: string[]) => `| ${cells.join(" | ")} |\n`;
const head = (...titles: string[]) => row(...titles) + row("---", ...titles.slice(1).map(() => "---:"));
const words = (...titles: string[]) => row(...titles) + row(...titles.map(() => "---"));
const times = (s: Summary) => `${number(s.median)}x`;
const spread = (s: Summary, format = number) => `${format(s.median)} (${format(s.least)} .. ${format(s.most)})`;

/** What was measured in an engine. */
interface Measured {
  name: EngineName;
  rounds: Rounds;
}

function introduction(r: Results, measured: Measured[]): string {
  const rounds = measured.map(({ name, rounds }) => {
    const most = Math.max(...Object.values(rounds).flatMap((w) => Object.values(w).map((f) => f.length)));
    return `${most} in ${titles[name]}`;
  });
  return `# Benchmarks in a browser

<!-- Written by make bench-browser. -->

Parley in a page beside connect-web: the same service, the same payloads and the same driver, in the same browser. One Go
server serves the service by parley and by connect-go. All run with their defaults;
[bench/browser/README.md](../bench/browser/README.md) lists the exceptions, and how each figure is measured. Browser, server
and driver share one machine. The rounds are interleaved: absolute figures move with the machine, and ratios within a round
hold. The bars are for Chromium. The other browsers are measured after it, in fewer rounds, by the same pages.

${words("measured on", "")}${[
  ["CPU", `${r.cpu}, ${r.cores} cores`],
  ["kernel", r.kernel],
  ...Object.entries(r.versions),
  ["rounds", `${rounds.join(", ")}, of ${r.seconds} s each`],
  ["command", `\`${r.command}\``],
]
  .map((cells) => row(...cells))
  .join("")}${targets.map((t) => row(t.name, t.made)).join("")}`;
}

function reached(r: Results): string {
  const { chromium } = r.engines;
  if (!chromium) return "";
  let text = `## What parley has to reach in Chromium\n\n${words("", "bar", "measured", "")}`;
  for (const { workload, least } of bars) {
    for (const lane of lanes.filter((l) => l.target === "parley")) {
      const ratio = ratios(chromium, workload, lane);
      if (!ratio) continue;
      const title = `${named(workloads, workload).title}: ${named(workloads, workload).unit}, to ${other(lane).name}`;
      text += row(title, `at least ${least}x`, times(ratio), ratio.median >= least ? "met" : "**missed**");
    }
  }
  return text;
}

function overview({ name, rounds }: Measured): string {
  const ours = lanes.filter((l) => l.target.startsWith("parley"));
  let text = `## Side by side in ${titles[name]}

How many times the rate of ${reference}, over HTTP/1.1 or, with TLS, over HTTP/2. A dash: ${reference} cannot do it.

${head("", ...ours.map((l) => l.name))}`;
  for (const w of workloads) {
    if (rounds[w.name]) text += row(w.title, ...ours.map((l) => optional(ratios(rounds, w.name, l), times)));
  }
  return text;
}

/** Says what the browser takes for the bytes of a stream, without a library. */
function bytes(measured: Measured[]): string {
  let text = `## Where the time of large messages goes

A stream of 64 KiB messages beside the same bytes without any library, as multiples of ${reference}: \`bare-websocket\` receives
messages of 64 KiB on a WebSocket, \`bare-fetch\` the body of a response, and nothing is decoded. No library on a WebSocket can
be faster than \`bare-websocket\`. [bench/browser/README.md](../bench/browser/README.md#where-the-time-goes) has profiles.

${head("", "parley", "bare-websocket", "bare-fetch")}`;
  for (const { name, rounds } of measured) {
    for (const tls of [false, true]) {
      const of = (target: string) => lanes.find((l) => l.target === target && l.tls === tls) as Lane;
      const cells = ["parley", "bare-websocket", "bare-fetch"].map((target) =>
        optional(ratios(rounds, "stream-64k", of(target)), times),
      );
      text += row(`${titles[name]}${tls ? ", TLS" : ""}`, ...cells);
    }
  }
  return text;
}

function refused(r: Results): string {
  let text = `## What cannot be done over fetch

With fetch a request is sent when its whole body is there. So client and bidirectional streams have no figures there. The
libraries report:

${words("", "")}`;
  for (const [target, says] of Object.entries(r.refusals)) text += row(target, says);
  return text;
}

function copied(r: Results): string {
  let text = `## Bytes copied

How many bytes the code of the page copies for each byte of payload that it sends or receives. Copies inside the browser are
not visible.

${head("", ...targets.map((t) => t.name))}`;
  for (const w of workloads) {
    const all = r.copied[w.name];
    if (all) text += row(w.title, ...targets.map((t) => optional(all[t.name], (v) => v.toFixed(1))));
  }
  return text;
}

function everything({ name, rounds }: Measured): string {
  let text = `## All figures: ${titles[name]}

Medians of the rounds, with the minimum and the maximum. A ratio is to ${reference} over the same kind of connection, within
the same round.${name === "chromium" ? ` The last column is the CPU time of the page's main thread, which also runs everything else of the page.` : ""}
`;
  for (const w of workloads) {
    if (!rounds[w.name]) continue;
    const size = w.bytes;
    text += `\n### ${w.name}: ${w.title}\n\n`;
    const timed = name === "chromium" ? ["µs of the page for each"] : [];
    text += head("", w.unit, ...(size ? ["MB/s"] : []), "ratio", ...timed);
    for (const lane of lanes) {
      const figures = rounds[w.name]?.[lane.name];
      if (!figures && stalls(lane, w, name))
        text += row(lane.name, "*stalls its page*", ...(size ? ["-"] : []), "-", ...timed.map(() => "-"));
      if (!figures) continue;
      const of = (f: (figure: Figure) => number) => summarize(figures.map(f));
      text += row(
        lane.name,
        spread(of((f) => f.rate)),
        ...(size ? [number(of((f) => (f.rate * size) / 1e6).median)] : []),
        optional(lane.target === reference ? undefined : ratios(rounds, w.name, lane), (s) => spread(s, (v) => `${number(v)}x`)),
        ...timed.map(() => spread(of((f) => f.cpu ?? Number.NaN))),
      );
    }
  }
  return text;
}

const optional = <T>(value: T | undefined, format: (value: T) => string) => (value === undefined ? "-" : format(value));

/** Returns the reference lane of a lane. */
const other = (lane: Lane) => lanes.find((l) => l.target === reference && l.tls === lane.tls) as Lane;

/** Returns the ratio of a lane to the reference in the same rounds. */
function ratios(rounds: Rounds, workload: string, lane: Lane): Summary | undefined {
  const own = rounds[workload]?.[lane.name];
  const its = rounds[workload]?.[other(lane).name];
  if (!own || !its) return undefined;
  const all = own.map((f, round) => f.rate / (its[round] as Figure).rate).filter(Number.isFinite);
  return all.length ? summarize(all) : undefined; // without the rounds in which the reference has done nothing
}
