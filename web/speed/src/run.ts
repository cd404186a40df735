import { join } from "node:path";
import type { EngineName } from "../../testing/engines/index.js";
import { type Lane, lanes, stalls, takesPart } from "./lane.js";
import type { Options } from "./options.js";
import type { Page } from "./page.js";
import type { Figure, Results, Rounds } from "./results.js";
import type { Tab } from "./tab.js";
import { named, targets } from "./target.js";
import type { Workload } from "./workload.js";

/** A lane and its page. */
interface Track extends Lane {
  tab: Tab;
}

/** The pages of all lanes in a browser. */
export class Run {
  private constructor(
    private options: Options,
    private tracks: readonly Track[],
  ) {}

  static async open(options: Options, open: (lane: Lane) => Promise<Tab>): Promise<Run> {
    const tracks: Track[] = [];
    for (const lane of lanes) {
      if (options.workloads.some((w) => takesPart(lane, w))) tracks.push({ ...lane, tab: await open(lane) });
    }
    return new Run(options, tracks);
  }

  /** Measures all lanes in turn, round by round, for at most limitMs. */
  async rounds(engine: EngineName, limitMs: number, log: (line: string) => void): Promise<Rounds> {
    const results: Rounds = {};
    const began = performance.now();
    let longest = 0;
    for (let round = 1; round <= this.options.rounds; round++) {
      const start = performance.now() - began;
      if (round > 1 && start + longest > limitMs) {
        log(`${engine}: no time for more than ${round - 1} rounds`);
        break;
      }
      for (const w of this.options.workloads) {
        for (const track of this.tracks.filter((t) => takesPart(t, w) && !stalls(t, w, engine))) {
          const figure = await measure(this.options, engine, track, w);
          ((results[w.name] ??= {})[track.name] ??= []).push(figure);
          const figures = `${figure.rate.toFixed(0).padStart(9)} ${w.unit}  ${figure.cpu ? `${figure.cpu.toFixed(1)} µs` : ""}`;
          log(`${engine}  round ${round}  ${w.name.padEnd(12)}${track.name.padEnd(31)}${figures}`);
        }
      }
      longest = Math.max(longest, performance.now() - began - start);
    }
    return results;
  }

  /** Runs each unsupported workload once and returns the errors. */
  async refusals(): Promise<Results["refusals"]> {
    const results: Results["refusals"] = {};
    for (const w of this.options.workloads) {
      for (const track of this.tracks) {
        const { only } = named(targets, track.target);
        if (only || takesPart(track, w) || results[track.target]) continue;
        const refusal = await tell(track, "refusal", track.target, w.name);
        if (!refusal) throw new Error(`${track.name} does ${w.name}: it was thought to be unable to`);
        results[track.target] = refusal;
      }
    }
    return results;
  }

  async copied(): Promise<Results["copied"]> {
    const results: Results["copied"] = {};
    for (const w of this.options.workloads.filter((w) => w.bytes)) {
      for (const track of this.tracks.filter((t) => !t.tls && takesPart(t, w))) {
        (results[w.name] ??= {})[track.target] = await tell(track, "copied", track.target, w.name);
      }
    }
    return results;
  }
}

/** Calls a function of a page. */
const tell = <F extends keyof Page>({ tab }: Track, f: F, ...args: Parameters<Page[F]>): Promise<Awaited<ReturnType<Page[F]>>> =>
  tab.evaluate(`page.${f}(${args.map((a) => JSON.stringify(a)).join()})`);

async function measure({ warmupMs, measureMs, profile }: Options, engine: string, track: Track, w: Workload): Promise<Figure> {
  const { tab } = track;
  await tab.show();
  await tell(track, "start", track.target, w.name, warmupMs);
  const [from, before] = [await tab.cpuTime?.(), await tell(track, "count")];
  const run = () => tell(track, "rate", measureMs);
  const file = `${engine}-${w.name}-${track.target}${track.tls ? "-tls" : ""}.cpuprofile`;
  const rate = profile && tab.profile ? await tab.profile(join(profile, file), run) : await run();
  const [to, after] = [await tab.cpuTime?.(), await tell(track, "count")];
  await tell(track, "stop");
  if (from === undefined || to === undefined) return { rate };
  return { rate, cpu: ((to - from) * 1e6) / (after - before) };
}
