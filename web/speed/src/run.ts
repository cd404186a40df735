import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tab } from "./chromium.js";
import { type Lane, lanes } from "./lane.js";
import type { Options } from "./options.js";
import type { Page } from "./page.js";
import type { Figure, Results } from "./results.js";
import { named, targets } from "./target.js";
import type { Workload } from "./workload.js";

type Measured = Pick<Results, "rounds" | "refusals" | "copied">;

/** A lane and its page. */
interface Track extends Lane {
  tab: Tab;
}

/** Measures all lanes in turn, round by round. */
export async function run(options: Options, open: (lane: Lane) => Promise<Tab>, log: (line: string) => void): Promise<Measured> {
  const results: Measured = { rounds: {}, refusals: {}, copied: {} };
  const began = performance.now();
  const tracks: Track[] = [];
  for (const lane of lanes) tracks.push({ ...lane, tab: await open(lane) });
  await refusals(options, tracks, results);
  await copied(options, tracks, results);
  let longest = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const start = performance.now() - began;
    if (round > 1 && start + longest > options.limitMs) {
      log(`no time for more than ${round - 1} rounds`);
      break;
    }
    for (const w of options.workloads) {
      for (const track of tracks.filter((t) => canDo(t, w))) {
        const figure = await measure(options, track, w);
        ((results.rounds[w.name] ??= {})[track.name] ??= []).push(figure);
        const figures = `${figure.rate.toFixed(0).padStart(9)} ${w.unit}  ${figure.cpu.toFixed(1)} µs`;
        log(`round ${round}  ${w.name.padEnd(12)}${track.name.padEnd(31)}${figures}`);
      }
    }
    longest = Math.max(longest, performance.now() - began - start);
  }
  return results;
}

const canDo = (lane: Lane, w: Workload) => !w.sends || named(targets, lane.target).sends;

/** Calls a function of a page. */
const tell = <F extends keyof Page>({ tab }: Track, f: F, ...args: Parameters<Page[F]>): Promise<Awaited<ReturnType<Page[F]>>> =>
  tab.evaluate(`page.${f}(${args.map((a) => JSON.stringify(a)).join()})`);

async function measure({ warmupMs, measureMs, profile }: Options, track: Track, w: Workload): Promise<Figure> {
  await tell(track, "start", track.target, w.name, warmupMs);
  if (profile) await track.tab.send("Profiler.start");
  const [from, before] = [await cpuTime(track.tab), await tell(track, "count")];
  const rate = await tell(track, "rate", measureMs);
  const [to, after] = [await cpuTime(track.tab), await tell(track, "count")];
  if (profile) {
    const { profile: cpu } = await track.tab.send<{ profile: unknown }>("Profiler.stop");
    await mkdir(profile, { recursive: true });
    await writeFile(join(profile, `${w.name}-${track.target}${track.tls ? "-tls" : ""}.cpuprofile`), JSON.stringify(cpu));
  }
  await tell(track, "stop");
  return { rate, cpu: ((to - from) * 1e6) / (after - before) };
}

/** Returns the CPU time of a page's main thread, in seconds. */
async function cpuTime(tab: Tab): Promise<number> {
  const { metrics } = await tab.send<{ metrics: { name: string; value: number }[] }>("Performance.getMetrics");
  return named(metrics, "TaskDuration").value;
}

/** Runs each unsupported workload once and returns the errors. */
async function refusals(options: Options, tracks: Track[], results: Measured): Promise<void> {
  for (const w of options.workloads) {
    for (const track of tracks) {
      if (canDo(track, w) || results.refusals[track.target]) continue;
      const refusal = await tell(track, "refusal", track.target, w.name);
      if (!refusal) throw new Error(`${track.name} does ${w.name}: it was thought to be unable to`);
      results.refusals[track.target] = refusal;
    }
  }
}

async function copied(options: Options, tracks: Track[], results: Measured): Promise<void> {
  for (const w of options.workloads.filter((w) => w.bytes)) {
    for (const track of tracks.filter((t) => !t.tls && canDo(t, w))) {
      (results.copied[w.name] ??= {})[track.target] = await tell(track, "copied", track.target, w.name);
    }
  }
}
