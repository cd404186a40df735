import { parseArgs } from "node:util";
import { type EngineName, engineNames } from "../../testing/engines/index.js";
import { named } from "./target.js";
import { type Workload, workloads } from "./workload.js";

export interface Options {
  rounds: number;
  /** How long a workload runs before it is measured. */
  warmupMs: number;
  measureMs: number;
  /** No round starts if it would probably end later than this, in milliseconds from the start. Chromium has half of it. */
  limitMs: number;
  engines: readonly EngineName[];
  workloads: readonly Workload[];
  /** The folder for benchmarks-browser.md and benchmarks/browser.json. */
  out?: string | undefined;
  /** A file with raw figures. The report is written from it, and nothing is measured. */
  from?: string | undefined;
  /** The folder for CPU profiles of the page. */
  profile?: string | undefined;
  /** The command that reproduces the measurement, for readers. */
  command: string;
}

export function parse(args: string[]): Options {
  const { values, tokens } = parseArgs({
    args,
    tokens: true,
    options: {
      rounds: { type: "string", default: "6" },
      warmup: { type: "string", default: "0.2" },
      seconds: { type: "string", default: "0.5" },
      limit: { type: "string", default: "330" },
      engines: { type: "string" },
      workloads: { type: "string" },
      out: { type: "string" },
      from: { type: "string" },
      profile: { type: "string" },
    },
  });
  const positive = (name: "rounds" | "warmup" | "seconds" | "limit") => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} is ${values[name]}: give a number above 0`);
    return value;
  };
  const aside = ["out", "from", "profile", "limit"]; // these do not affect the measurement
  const given = tokens.flatMap((t) => (t.kind === "option" && !aside.includes(t.name) ? [`${t.rawName} ${t.value}`] : []));
  return {
    rounds: positive("rounds"),
    warmupMs: positive("warmup") * 1000,
    measureMs: positive("seconds") * 1000,
    limitMs: positive("limit") * 1000,
    engines: values.engines?.split(",").map(engine) ?? engineNames,
    workloads: values.workloads?.split(",").map((name) => named(workloads, name)) ?? workloads,
    out: values.out,
    from: values.from,
    profile: values.profile,
    command: given.length ? `npm run speed -- ${given.join(" ")}` : "make bench-browser",
  };
}

function engine(name: string): EngineName {
  const one = engineNames.find((e) => e === name);
  if (!one) throw new Error(`there is no engine ${name}: there are ${engineNames.join(", ")}`);
  return one;
}
