import { type Lane, lanes } from "./lane.js";
import type { Figure, Results } from "./results.js";
import { number, type Summary, summarize } from "./summary.js";
import { named, targets } from "./target.js";
import { workloads } from "./workload.js";

/** The library that the others are compared with, over the same kind of connection. */
const reference = "connect-web";

/** The required lead of parley over the reference. */
const bars = [
  { workload: "unary-64", least: 3 },
  { workload: "stream", least: 2 },
];

/** Returns the text of docs/benchmarks-browser.md. */
export function report(r: Results): string {
  return [introduction(r), reached(r), overview(r), refused(r), copied(r), everything(r)].join("\n");
}

const row = (...cells: string[]) => `| ${cells.join(" | ")} |\n`;
const head = (...titles: string[]) => row(...titles) + row("---", ...titles.slice(1).map(() => "---:"));
const words = (...titles: string[]) => row(...titles) + row(...titles.map(() => "---"));
const times = (s: Summary) => `${number(s.median)}x`;
const spread = (s: Summary, format = number) => `${format(s.median)} (${format(s.least)} .. ${format(s.most)})`;

function introduction(r: Results): string {
  const rounds = Math.max(...Object.values(r.rounds).flatMap((w) => Object.values(w).map((f) => f.length)));
  return `# Benchmarks in a browser

<!-- Written by make bench-browser. -->

Parley in a page beside connect-web: the same service, the same payloads and the same driver, in the same Chromium. One Go
server serves the service by parley and by connect-go. All run with their defaults;
[bench/browser/README.md](../bench/browser/README.md) lists the exceptions, and how each figure is measured. Browser, server
and driver share one machine. The rounds are interleaved: absolute figures move with the machine, and ratios within a round
hold.

${words("measured on", "")}${[
  ["CPU", `${r.cpu}, ${r.cores} cores`],
  ["kernel", r.kernel],
  ...Object.entries(r.versions),
  ["rounds", `${rounds}, of ${r.seconds} s each`],
  ["command", `\`${r.command}\``],
]
  .map((cells) => row(...cells))
  .join("")}${targets.map((t) => row(t.name, t.made)).join("")}`;
}

function reached(r: Results): string {
  let text = `## What parley has to reach\n\n${words("", "bar", "measured", "")}`;
  for (const { workload, least } of bars) {
    for (const lane of lanes.filter((l) => l.target === "parley")) {
      const ratio = ratios(r, workload, lane);
      if (!ratio) continue;
      const title = `${named(workloads, workload).title}: ${named(workloads, workload).unit}, to ${other(lane).name}`;
      text += row(title, `at least ${least}x`, times(ratio), ratio.median >= least ? "met" : "**missed**");
    }
  }
  return text;
}

function overview(r: Results): string {
  const ours = lanes.filter((l) => l.target.startsWith("parley"));
  let text = `## Side by side

How many times the rate of ${reference}, over HTTP/1.1 or, with TLS, over HTTP/2. A dash: ${reference} cannot do it.

${head("", ...ours.map((l) => l.name))}`;
  for (const w of workloads) {
    if (r.rounds[w.name]) text += row(w.title, ...ours.map((l) => optional(ratios(r, w.name, l), times)));
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

function everything(r: Results): string {
  let text = `## All figures

Medians of the rounds, with the minimum and the maximum. A ratio is to ${reference} over the same kind of connection, within
the same round. The last column is the CPU time of the page's main thread, which also runs everything else of the page.
`;
  for (const w of workloads) {
    if (!r.rounds[w.name]) continue;
    const size = w.bytes;
    text += `\n### ${w.name}: ${w.title}\n\n`;
    text += head("", w.unit, ...(size ? ["MB/s"] : []), "ratio", "µs of the page for each");
    for (const lane of lanes) {
      const figures = r.rounds[w.name]?.[lane.name];
      if (!figures) continue;
      const of = (f: (figure: Figure) => number) => summarize(figures.map(f));
      text += row(
        lane.name,
        spread(of((f) => f.rate)),
        ...(size ? [number(of((f) => (f.rate * size) / 1e6).median)] : []),
        optional(lane.target === reference ? undefined : ratios(r, w.name, lane), (s) => spread(s, (v) => `${number(v)}x`)),
        spread(of((f) => f.cpu)),
      );
    }
  }
  return text;
}

const optional = <T>(value: T | undefined, format: (value: T) => string) => (value === undefined ? "-" : format(value));

/** Returns the reference lane of a lane. */
const other = (lane: Lane) => lanes.find((l) => l.target === reference && l.tls === lane.tls) as Lane;

/** Returns the ratio of a lane to the reference in the same rounds. */
function ratios(r: Results, workload: string, lane: Lane): Summary | undefined {
  const own = r.rounds[workload]?.[lane.name];
  const its = r.rounds[workload]?.[other(lane).name];
  if (!own || !its) return undefined;
  return summarize(own.map((f, round) => f.rate / (its[round] as Figure).rate));
}
